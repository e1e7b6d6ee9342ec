# SPDX-License-Identifier: Apache-2.0
"""Expressions of the language against NumPy. Inputs are called a, b, c; a row is (inputs, expression, NumPy's expression,
allowed error). Called by numpy.sh."""
import os
import subprocess
import sys
import tempfile

import numpy as np

NUMBERS = np.random.RandomState(7)
DTYPES = {np.dtype(t): name for t, name in [
    (np.bool_, "bool"), (np.int8, "i8"), (np.int16, "i16"), (np.int32, "i32"), (np.int64, "i64"), (np.uint8, "u8"),
    (np.uint16, "u16"), (np.uint32, "u32"), (np.uint64, "u64"), (np.float16, "f16"), (np.float32, "f32"), (np.float64, "f64")]}
PIPELINES_MAX = 60
EINSUMS = (("ij,jk->ik", ((3, 4), (4, 5))), ("ij,jk", ((3, 4), (4, 5))), ("ba,cb", ((3, 4), (2, 3))), ("bij,bjk->ikb", ((2, 3, 4), (2, 4, 5))),
           ("bhqd,bhkd->bhqk", ((2, 2, 3, 4), (2, 2, 5, 4))), ("...ij,...jk->...ik", ((2, 1, 3, 4), (3, 4, 2))), ("i...", ((3, 2, 4),)),
           ("ii->i", ((4, 4),)), ("iji->j", ((3, 2, 3),)), ("ii", ((4, 4),)), ("i,ij,j->", ((3,), (3, 4), (4,))),
           ("ij,jk,kl->il", ((3, 4), (4, 5), (5, 2))), ("i,j,k->kij", ((2,), (3,), (4,))), ("aB,Bc", ((3, 4), (4, 2))), (",i->i", ((), (5,))))


def real(*shape, dtype=np.float32, low=-2, high=2):
    return NUMBERS.uniform(low, high, shape).astype(dtype)


def whole(*shape, dtype=np.int32, low=-9, high=9):
    return NUMBERS.randint(low, high + 1, shape).astype(dtype)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def layernorm(x, scale=1, shift=0, epsilon=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * scale + shift


def logsumexp(x, axis):
    m = x.max(axis=axis, keepdims=True)
    return (np.log(np.exp(x - m).sum(axis=axis, keepdims=True)) + m).squeeze(axis)


def scatter(x, i, y):
    x = x.copy()
    np.add.at(x, i, y)
    return x


def rows():
    # Functions of one element, under the same name or another.
    same = "exp exp2 expm1 log1p sqrt cbrt sin cos tan sinh cosh tanh floor ceil trunc abs sign".split()
    for dtype in (np.float32, np.float64):
        a = real(3, 5, dtype=dtype, low=0, high=1.4)
        for name in same:
            yield (a,), f"{name}(a)", f"np.{name}(a)", 1e-5
        for name, other in (("round", "rint"), ("asin", "arcsin"), ("acos", "arccos"), ("atan", "arctan")):
            yield (a / 2,), f"{name}(a)", f"np.{other}(a)", 1e-5
        for name in ("log", "log2", "log10"):
            yield (a + 1,), f"{name}(a)", f"np.{name}(a)", 1e-5
        yield (a + 1,), "rsqrt(a)", "1 / np.sqrt(a)", 1e-5
        yield (a, a[0]), "hypot(a, b)", "np.hypot(a, b)", 1e-5
        yield (a, a[:, :1]), "atan2(a, b)", "np.arctan2(a, b)", 1e-5
        yield (a, a[1]), "pow(a + 1, b)", "np.power(a + 1, b)", 1e-5
    # Arithmetic, with NumPy's broadcasting.
    shapes = (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 1)), ((), (5,)))
    for x, y in shapes:
        for sign in ("+", "-", "*", "/"):
            yield (real(*x), real(*y, low=1)), f"a {sign} b", f"a {sign} b", 1e-6
        for sign in ("+", "-", "*", "&", "|", "^"):
            for dtype in (np.int32, np.int64, np.uint32, np.uint64):
                yield (whole(*x, dtype=dtype, low=0), whole(*y, dtype=dtype, low=0)), f"a {sign} b", f"a {sign} b", 0
        for sign in ("==", "!=", "<", "<=", ">", ">="):
            yield (whole(*x, low=-2, high=2), whole(*y, low=-2, high=2)), f"a {sign} b", f"a {sign} b", 0
        yield (real(*x), real(*y)), "a % b", "np.fmod(a, b)", 1e-6
        yield (whole(*x), whole(*y, low=1)), "a % b", "np.fmod(a, b)", 0
        yield (whole(*x), whole(*y, low=1)), "a / b", "np.trunc(a / b).astype(np.int32)", 0
        yield (whole(*x), whole(*y, low=0, high=31)), "a << b", "np.left_shift(a, b)", 0
        yield (whole(*x), whole(*y, low=0, high=31)), "a >> b", "np.right_shift(a, b)", 0
        yield (real(*x), real(*y)), "min(a, b)", "np.minimum(a, b)", 0
        yield (real(*x), real(*y)), "if a > b { a } else { b * 2 }", "np.where(a > b, a, b * 2)", 1e-6
        yield (real(*x) > 0, real(*y) > 0), "a && b || !a", "(a & b) | ~a", 0
    yield (whole(7),), "~a", "~a", 0
    yield (real(7),), "clamp(a, -1, 0.5)", "np.clip(a, -1, 0.5)", 0
    # Reductions, with axis and keep.
    for shape in ((7,), (3, 4), (2, 3, 4)):
        for axis in range(len(shape)):
            for keep in (False, True):
                options = f"axis: {axis}" + (", keep: true" if keep else "")
                other = f"axis={axis}, keepdims={keep}"
                a = real(*shape)
                for name in ("sum", "prod", "min", "max", "mean"):
                    yield (a,), f"{name}(a, {options})", f"a.{name}({other})", 1e-5
                yield (a,), f"norm(a, {options})", f"np.linalg.norm(a, {other})", 1e-5
                for name in ("any", "all"):
                    yield (a > 1,), f"{name}(a, {options})", f"a.{name}({other})", 0
            for name in ("argmin", "argmax"):
                yield (whole(*shape, low=-2, high=2),), f"{name}(a, axis: {axis})", f"a.{name}(axis={axis})", 0
            yield (a,), f"cumsum(a, axis: {axis})", f"np.cumsum(a, axis={axis})", 1e-5
            yield (a,), f"softmax(a, axis: {axis})", f"softmax(a, {axis})", 1e-5
            yield (a,), f"logsumexp(a, axis: {axis})", f"logsumexp(a, {axis})", 1e-5
    yield (real(3, 8), real(8), real(8)), "layernorm(a, b, c)", "layernorm(a, b, c)", 1e-5
    # Products.
    for x, y in (((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)),
                 ((3, 4), (2, 4, 5))):
        yield (real(*x), real(*y)), "a @ b", "a @ b", 1e-5
        yield (whole(*x), whole(*y)), "a @ b", "a @ b", 0
    yield (real(3), real(4)), "outer(a, b)", "np.outer(a, b)", 1e-6
    yield (real(2, 3, 4), real(4)), "dot(a, b)", "(a * b).sum(-1)", 1e-5
    for text, shapes in EINSUMS:
        operands = tuple(real(*shape) for shape in shapes)
        names = ", ".join("abc"[:len(operands)])
        yield operands, f'einsum("{text}", {names})', f'np.einsum("{text}", {names})', 1e-5
        operands = tuple(whole(*shape, dtype=np.int64) for shape in shapes)
        yield operands, f'einsum("{text}", {names})', f'np.einsum("{text}", {names})', 0
    # Shapes.
    a = real(4, 6)
    for mine, other in (
            ("reshape(a, [2, 3, 4])", "a.reshape(2, 3, 4)"), ("transpose(a)", "a.T"), ("expand(a, axis: 1)", "a[:, None]"),
            ("broadcast(a, [2, 4, 6])", "np.broadcast_to(a, (2, 4, 6))"), ("concat(a, a, axis: 1)", "np.concatenate([a, a], 1)"),
            ("stack(a, a, axis: 1)", "np.stack([a, a], 1)"), ("pad(a, before: 1, after: 2, axis: 0, value: 3)",
                                                              "np.pad(a, ((1, 2), (0, 0)), constant_values=3)"),
            ("a[2]", "a[2]"), ("a[-1, 2..]", "a[-1, 2:]"), ("a[1..4..2, ..5]", "a[1:4:2, :5]"), ("a[.., -2]", "a[:, -2]"),
            ("a[1..3] @ transpose(a)[.., 0..2]", "a[1:3] @ a.T[:, 0:2]"), ("reshape(transpose(a), [24])", "a.T.reshape(24)"),
            ("sort(a)", "np.sort(a)"), ("argsort(a)", "np.argsort(a, kind='stable')"),
            ("sort(a, descending: true)", "np.sort(a)[:, ::-1]")):
        yield (a,), mine, other, 1e-5
    yield (a.reshape(2, 3, 4),), "transpose(a, [1, 2, 0])", "a.transpose(1, 2, 0)", 0
    yield (a, np.array([3, 0, 0, 1], np.int32)), "a[b]", "a[b]", 0
    yield (a, np.array([[3, 0], [5, 1]], np.uint8)), "gather(a, b, axis: 1)", "a[:, b]", 0
    yield (a, np.array([1, 1, 3], np.int64), real(3, 6)), "scatter_add(a, b, c)", "scatter(a, b, c)", 1e-6
    yield (np.array([2, 0, 1], np.int32),), "one_hot(a, 3)", "np.eye(3, dtype=np.float32)[a]", 0
    yield (real(5),), "iota(size(a), start: 2)", "np.arange(2, 7, dtype=np.uint32)", 0
    # Casts, as far as NumPy defines them.
    for dtype in (np.float64, np.float32, np.float16, np.int8, np.int64, np.uint16, np.bool_):
        yield (whole(9).astype(dtype),), "f32(a)", "a.astype(np.float32)", 0
        yield (whole(9, low=0).astype(dtype),), "i32(a)", "a.astype(np.int32)", 0
    yield (real(9, dtype=np.float64),), "f16(a)", "a.astype(np.float16)", 0
    yield (whole(9, low=-400, high=400),), "u8(a)", "a.astype(np.uint8)", 0


def shape_text(shape):
    return "[" + ", ".join(map(str, shape)) + "]"


def field(name, array):
    return f"{name}: {DTYPES[array.dtype]}" + (f"[{array.size}];" if array.ndim else ";")


def texts(cases):
    """The schema and the program, and what the runner is asked."""
    schema, program, asked = "namespace n;\n", 'import "cases.psy"\n', ""
    for number, (inputs, mine, wanted, _) in enumerate(cases):
        names = "abc"[:len(inputs)]
        schema += f"message Q{number} {{ {' '.join(field(n, i) for n, i in zip(names, inputs))} }}\n"
        schema += f"message R{number} {{ {field('x', wanted)} }}\n"
        program += f"pipeline p{number}(q: Q{number}) -> R{number} {{\n"
        asked += f"pipeline p{number}\n"
        for n, i in zip(names, inputs):
            program += f"let {n} = reshape(q.{n}, {shape_text(i.shape)})\n" if i.ndim > 1 else f"let {n} = q.{n}\n"
            numbers = i.ravel().astype(int if i.dtype == bool else i.dtype).tolist()
            asked += f"{n} {' '.join(map(repr, numbers))}\n"
        result = f"reshape({mine}, [{wanted.size}])" if wanted.ndim > 1 else mine
        program += f"R{number} {{ x: {result} }} }}\n"
        asked += "run\n"
    return schema, program, asked


def run(cases, folder):
    schema, program, asked = texts(cases)
    for name, text in (("cases.psy", schema), ("cases.hrm", program)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    build = os.environ["PSYNE_BUILD"]
    subprocess.run([f"{build}/compiler/psynec", "cases.hrm", "--no-kernels", "-o", "."], cwd=folder, check=True)
    out = subprocess.run([f"{build}/tests/compiler/run_module", "cases.psm"], cwd=folder, input=asked, text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return [line.split()[1:] for line in out.splitlines() if line.startswith("x")]


def is_same(words, wanted, error):
    if wanted.dtype.kind != "f":
        return [int(w) for w in words] == [int(v) for v in wanted.ravel()]
    got, exact = np.array([float(w) for w in words]), wanted.astype(np.float64).ravel()
    return got.shape == exact.shape and bool(np.all((np.abs(got - exact) <= error * np.maximum(1, np.abs(exact))) | (got == exact)))


def main():
    cases = []
    for inputs, mine, other, error in rows():
        inputs = tuple(np.asarray(i) for i in inputs)
        wanted = np.asarray(eval(other, globals(), dict(zip("abc", inputs))))
        if "arg" in mine:  # positions are u64
            wanted = wanted.astype(np.uint64)
        cases.append((inputs, mine, wanted, error))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, len(cases), PIPELINES_MAX):
            some = cases[first:first + PIPELINES_MAX]
            for number, (case, words) in enumerate(zip(some, run(some, folder))):
                ok = is_same(words, case[2], case[3])
                failed += not ok
                text = f"{case[1]}  ({', '.join(DTYPES[i.dtype] + shape_text(i.shape) for i in case[0])})"
                print(f"{'ok' if ok else 'not ok'} {first + number + 1} - {text}")
                if not ok:
                    print(f"# {' '.join(words)}\n# {case[2].ravel().tolist()}")
    print(f"1..{len(cases)}")
    return failed != 0


sys.exit(main())
