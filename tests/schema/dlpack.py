# SPDX-License-Identifier: Apache-2.0
# Variants and NumPy's arrays hand their memory to each other, without a copy: dlpack.py LIBRARY, which dlpack_peer.c is. Prints TAP.
import ctypes
import gc
import sys
import traceback

import numpy

peer = ctypes.CDLL(sys.argv[1])
peer.peer_bytes.restype = peer.peer_lend.restype = ctypes.c_void_p
peer.peer_take.restype = ctypes.c_double
peer.peer_take.argtypes = [ctypes.c_void_p]
peer.peer_why.restype = ctypes.c_char_p
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
pointer = ctypes.pythonapi.PyCapsule_GetPointer
pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

# By the codes of dtypes.def; NumPy has no bf16, and knows bool from version 1.25 on.
names = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16', None, 'float32', 'float64']
versioned = b'dltensor_versioned'
version = tuple(int(part) for part in numpy.__version__.split('.')[:2])


class Lent:
    """What from_dlpack takes: an object that gives a capsule."""

    def __init__(self, i, dtype, turned=False, read_only=None):
        self.arguments = (i, dtype, turned, read_only is not None, bool(read_only))
        self.name = b'dltensor' if read_only is None else versioned

    def __dlpack__(self, **_):
        return new(peer.peer_lend(*self.arguments), self.name, None)

    def __dlpack_device__(self):
        return (1, 0)


def elements(i, dtype):
    """The same memory, for ctypes and NumPy to read on their own."""
    buffer = (ctypes.c_ubyte * 256).from_address(peer.peer_bytes(i))
    return numpy.frombuffer(buffer, dtype)[:24].reshape(2, 3, 4)


def every_type():
    for code, name in enumerate(names, 1):
        if name is None or (name == 'bool' and version < (1, 25)):
            continue
        own = elements(0, name)
        own[...] = numpy.arange(24).reshape(2, 3, 4) % 2 if name == 'bool' else numpy.arange(24).reshape(2, 3, 4)
        x = numpy.from_dlpack(Lent(0, code))
        assert x.dtype == name and x.shape == (2, 3, 4) and (x == own).all(), name
        assert numpy.shares_memory(x, own) and x.ctypes.data == peer.peer_bytes(0), name
        own[1, 2, 3] = 0
        assert x[1, 2, 3] == 0, name
        own = elements(1, name)
        own[...] = x
        turned = numpy.from_dlpack(Lent(1, code, turned=True))
        assert (turned == own.T[3::-2]).all() and numpy.shares_memory(turned, own), name
        del x, turned
        gc.collect()
        assert peer.peer_lent(0) == 0 and peer.peer_lent(1) == 0, name


def holding():
    assert peer.peer_lent(1) == 0
    x = numpy.from_dlpack(Lent(1, 12))
    part = x[0, 1:]
    del x
    gc.collect()
    assert peer.peer_lent(1) == 1, 'given back while a part is in use'
    del part
    gc.collect()
    assert peer.peer_lent(1) == 0, 'not given back'


def refusals():
    try:
        numpy.from_dlpack(Lent(4, 11))
        assert False, 'bf16 is taken'
    except (BufferError, RuntimeError):
        pass


def take(array):
    capsule = array.__dlpack__()  # frees what it holds when it goes
    return peer.peer_take(pointer(capsule, b'dltensor'))


def arrays():
    x = numpy.arange(24, dtype='float64').reshape(4, 6)
    for part in (x, x.T, x[::-1, ::2], x[1:, 3:], x[:0], x[2:3, :1]):
        before = part.copy()
        assert take(part) == before.sum()
        assert (part == before + 1).all()
    assert take(numpy.ones((2, 2), 'complex64')) == 1018
    assert b'of this type' in peer.peer_why()
    assert take(numpy.ones([1] * 9)) == 1017
    assert b'eight axes' in peer.peer_why()


def read_only():
    x = numpy.from_dlpack(Lent(3, 13, read_only=True))
    assert not x.flags.writeable and numpy.shares_memory(x, elements(3, 'float64'))
    y = numpy.from_dlpack(Lent(2, 13, read_only=False))
    assert y.flags.writeable and peer.peer_lent(2) == 1 and peer.peer_lent(3) == 1
    del x, y
    gc.collect()
    assert peer.peer_lent(2) == 0 and peer.peer_lent(3) == 0


cases = [('every type as an array of NumPy', every_type), ('a loan lasts as long as the array', holding),
         ('NumPy refuses what it does not have', refusals), ('arrays of NumPy as views', arrays),
         ('loans of version 1, read-only or not', read_only)]
failed = 0
for number, (name, case) in enumerate(cases, 1):
    if case is read_only and version < (2, 1):
        print(f'ok {number} - {name} # SKIP NumPy {numpy.__version__} does not know version 1')
        continue
    try:
        case()
        print(f'ok {number} - {name}')
    except AssertionError as error:
        failed += 1
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f'not ok {number} - {name}\n# line {place.lineno}: {place.line} {error}')
print(f'1..{len(cases)}')
sys.exit(failed > 0)
