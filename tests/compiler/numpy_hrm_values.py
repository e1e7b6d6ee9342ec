# SPDX-License-Identifier: Apache-2.0
"""Values of the language and what is done with them, as doc/language.md says it: types and casts, operators, functions.

A value has the name of its type and its elements. A type that NumPy has not is kept in one that holds it: bf16 in f32. Numbers
that are written in a program have the type `whole` or `fraction` until they meet another. Functions of floats are computed in
f64 and rounded once. Of a bounded vector the elements are those that are there, and `room` how many could be."""
import math

import numpy as np

NUMPY = {"bool": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16,
         "u32": np.uint32, "u64": np.uint64, "f16": np.float16, "bf16": np.float32, "f32": np.float32, "f64": np.float64,
         "whole": np.int64, "fraction": np.float64}
WIDENED = {"i8": "i32", "i16": "i32", "u8": "u32", "u16": "u32", "f16": "f32", "bf16": "f32"}
WEAK = ("whole", "fraction")
DIGITS = {"bf16": 8, "f16": 11, "f32": 24, "f64": 53}
FLOATS = ("f16", "bf16", "f32", "f64", "fraction")
NOWHERE = 2**64 - 1


class Mistake(Exception):
    """What a compiler would refuse."""


class Value:
    def __init__(self, dtype, elements):
        self.dtype, self.elements, self.room = dtype, np.asarray(elements, NUMPY[dtype]), None

    @property
    def is_float(self):
        return self.dtype in FLOATS

    @property
    def shape(self):
        return self.elements.shape

    def whole(self):
        """A number that is known: a size, an axis, a place."""
        if self.dtype != "whole" or self.shape:
            raise Mistake(f"{self.dtype}{self.shape} is no known whole number")
        return int(self.elements)


class Optional:
    """A value, or what lies where none is."""

    def __init__(self, value, there):
        self.value, self.there = value, there


def bounded(v, count):
    """The first `count`, cut to what is there."""
    result = Value(v.dtype, v.elements[:max(0, min(count, v.shape[0]))])
    result.room = v.shape[0] if v.room is None else v.room
    return result


def number(x):
    return Value("fraction" if isinstance(x, float) else "whole", x)


# ---- types ----

def to_bf16(a):
    """To the nearest number of 8 bits, of two the even one; no smaller step than 2^-133; from 2^128 on infinite."""
    if a.dtype.kind in "iu":  # what f64 has no room for only says which half is nearer
        below = np.bitwise_or(a & ~np.array(0xfff, a.dtype), np.where(a & np.array(0xfff, a.dtype), 0x1000, 0).astype(a.dtype))
        a = np.where(np.abs(a.astype(np.float64)) < 2.0**53, a, below)
    a = a.astype(np.float64)
    _, exponent = np.frexp(a)
    step = np.maximum(exponent, -125) - 8
    rounded = np.ldexp(np.rint(np.ldexp(a, -step)), step)
    rounded = np.where(np.abs(rounded) < 2.0**128, rounded, np.copysign(np.inf, a))
    return np.where(np.isfinite(a), rounded, a).astype(np.float32)


def to_integers(a, dtype):
    """Towards zero; what is too large or too small saturates; NaN is 0."""
    least, most = np.iinfo(NUMPY[dtype]).min, np.iinfo(NUMPY[dtype]).max
    wholes = [0 if x != x else int(min(max(x, least), most)) for x in a.ravel().tolist()]
    return np.array(wholes, NUMPY[dtype]).reshape(a.shape)


def cast(v, dtype):
    a = v.elements
    if v.dtype == dtype:
        return v
    if dtype == "bool":
        return Value(dtype, a != 0)
    if dtype == "bf16":
        return Value(dtype, to_bf16(a))
    if a.dtype.kind == "f" and dtype not in FLOATS:
        return Value(dtype, to_integers(a, dtype))
    return Value(dtype, a.astype(NUMPY[dtype]))


def widened(v):
    return cast(v, WIDENED.get(v.dtype, v.dtype))


def taking(v, dtype):
    """A number that is written in the program, as what it meets; another value as it is."""
    if v.dtype in WEAK:
        if dtype == "bool" or (v.dtype == "fraction" and dtype not in FLOATS):
            raise Mistake(f"a {v.dtype} is no {dtype}")
        return cast(v, dtype)
    if v.dtype != dtype:
        raise Mistake(f"{v.dtype} and {dtype}")
    return v


def promoted(*values):
    """All in the one type that they have."""
    values = [widened(v) for v in values]
    strong = [v.dtype for v in values if v.dtype not in WEAK]
    dtype = strong[0] if strong else "fraction" if any(v.is_float for v in values) else "whole"
    return [taking(v, dtype) for v in values]


def loses_nothing(of, to):
    if of == to or "bool" in (of, to):
        return of == to
    if of in FLOATS:
        return to in ("f32", "f64") and DIGITS[of] <= DIGITS[to]
    if to in FLOATS:
        return np.iinfo(NUMPY[of]).bits - of.startswith("i") <= DIGITS[to]
    return np.can_cast(NUMPY[of], NUMPY[to], "safe")


def stored(v, dtype):
    """As a field of that type."""
    if v.dtype in WEAK:
        return taking(v, dtype)
    if not loses_nothing(v.dtype, dtype):
        raise Mistake(f"{v.dtype} does not fit into {dtype}")
    return cast(v, dtype)


def as_float(v):
    v = widened(v)
    v = cast(v, "fraction") if v.dtype == "whole" else v
    if not v.is_float:
        raise Mistake(f"{v.dtype} is no float")
    return v


def in_f64(v):
    return as_float(v).elements.astype(np.float64)


def rounded(v, elements):
    """What was computed in f64 from v, in v's type."""
    return Value(as_float(v).dtype, elements)


# ---- operators ----

def quotient(a, b):
    if a.dtype.kind == "f":
        return a / b
    some = np.where(b == 0, np.ones_like(b), b)
    if a.dtype.kind == "u":
        return np.where(b == 0, np.zeros_like(a), a // some)
    turned = some == -1  # the most negative number by -1 is itself
    some = np.where(turned, np.ones_like(b), some)
    below = a // some
    inexact_below_zero = (below * some != a) & ((a < 0) != (some < 0))
    return np.where(b == 0, np.zeros_like(below), np.where(turned, 0 - below, below + inexact_below_zero)).astype(a.dtype)


def remainder(a, b):
    return np.fmod(a, b) if a.dtype.kind == "f" else a - b * quotient(a, b)


def places_moved(b):
    return b & np.array(8 * b.dtype.itemsize - 1, b.dtype)


ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": quotient, "%": remainder, "@": np.matmul}
BITS = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor,
        "<<": lambda a, b: np.left_shift(a, places_moved(b)), ">>": lambda a, b: np.right_shift(a, places_moved(b))}
TESTS = {"==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
ONE = {"-": np.negative, "!": np.logical_not, "~": np.invert}
LOGIC = {"&&": np.logical_and, "||": np.logical_or}


def binary(sign, a, b):
    a, b = promoted(a, b)
    of = "bool" if a.dtype == "bool" else "float" if a.is_float else "integer"
    if sign in TESTS and (of != "bool" or sign in ("==", "!=")):
        return Value("bool", TESTS[sign](a.elements, b.elements))
    if sign in LOGIC and of == "bool":
        return Value("bool", LOGIC[sign](a.elements, b.elements))
    if (sign in ARITHMETIC and of != "bool") or (sign in BITS and (of == "integer" or (of == "bool" and sign in "&|^"))):
        return Value(a.dtype, (ARITHMETIC.get(sign) or BITS[sign])(a.elements, b.elements))
    raise Mistake(f"{a.dtype} {sign} {b.dtype}")


def unary(sign, v):
    v = widened(v)
    if (sign == "!") != (v.dtype == "bool") and sign != "~":
        raise Mistake(f"{sign} {v.dtype}")
    return Value(v.dtype, ONE[sign](v.elements))


def select(condition, a, b):
    if condition.dtype != "bool":
        raise Mistake(f"a choice by {condition.dtype}")
    if a.dtype == b.dtype == "bool":
        return Value("bool", np.where(condition.elements, a.elements, b.elements))
    a, b = promoted(a, b)
    return Value(a.dtype, np.where(condition.elements, a.elements, b.elements))


def otherwise(a, b):
    """a ?? b: nothing is computed, what is stored stays so where both are of one type."""
    other = b.value if isinstance(b, Optional) else b
    if a.value.dtype == other.dtype:
        value = Value(other.dtype, np.where(a.there, a.value.elements, other.elements))
    else:
        value = select(Value("bool", a.there), a.value, other)
    return Optional(value, a.there or b.there) if isinstance(b, Optional) else value


# ---- order ----

def order(a, descending):
    """Positions that put the last axis in order; equal ones keep theirs, NaN is last."""
    nothing = a != a
    _, rank = np.unique(np.where(nothing, np.zeros_like(a), a), return_inverse=True)
    rank = rank.reshape(a.shape)
    return np.argsort(np.where(nothing, a.size, -rank if descending else rank), axis=-1, kind="stable")


def in_order(v, descending, count=None):
    v = widened(v)
    at = order(v.elements, descending)[..., :count]
    return Value(v.dtype, np.take_along_axis(v.elements, at, -1)), Value("u64", at)


# ---- places ----

def gather(v, places, axis=0):
    """`places` in any shape stands where the axis was; outside there are zeros."""
    axis %= len(v.shape)
    length, at = v.shape[axis], places.elements
    inside = (at >= 0) & (at < length)
    if length == 0:
        return Value(v.dtype, np.zeros(v.shape[:axis] + at.shape + v.shape[axis + 1:]))
    found = np.take(v.elements, np.where(inside, at, np.zeros_like(at)).astype(np.int64), axis)
    return Value(v.dtype, np.where(inside.reshape(at.shape + (1,) * (len(v.shape) - axis - 1)), found, np.zeros_like(found)))


def scatter_add(x, i, y):
    x, y = promoted(x, y)
    to = x.elements.copy()
    for k, place in enumerate(i.elements.tolist()):
        if 0 <= place < to.shape[0]:
            to[place] = to[place] + y.elements[k]
    return Value(x.dtype, to)


# ---- random numbers: Philox 2x32-10 on (position, 0) ----

def philox(key, position):
    left, right = position, 0
    for _ in range(10):
        product = 0xD256D193 * left
        left, right = (product >> 32) ^ key ^ right, product & 0xFFFFFFFF
        key = (key + 0x9E3779B9) & 0xFFFFFFFF
    return left


def random(key, positions):
    return np.array([philox(key, p & 0xFFFFFFFF) for p in positions], np.uint32)


def uniform(key, positions):
    """The upper 24 bits."""
    return (random(key, positions) >> 8).astype(np.float64) / 2**24


def normal(key, n):
    """Box and Muller, of the uniform numbers 2 i and 2 i + 1."""
    u, v = uniform(key, range(0, 2 * n, 2)), uniform(key, range(1, 2 * n, 2))
    return np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * math.pi * v)
