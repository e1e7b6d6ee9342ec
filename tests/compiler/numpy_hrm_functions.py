# SPDX-License-Identifier: Apache-2.0
"""The functions that the language brings along: FUNCTIONS[name](arguments..., name=argument...), of values, lists of sizes and
texts."""
import math

import numpy as np

from numpy_hrm_values import (NOWHERE, NUMPY, Mistake, Value, cast, gather, in_f64, in_order, number, normal, promoted,
                              random, rounded, scatter_add, select, taking, uniform, widened)

FUNCTIONS = {"select": select, "scatter_add": scatter_add}


def function(f):
    FUNCTIONS[f.__name__.rstrip("_")] = f
    return f


def one_axis(v, axis):
    rank = len(v.shape)
    if axis is None and rank != 1:
        raise Mistake(f"which of {rank} axes?")
    at = 0 if axis is None else axis.whole()
    if not -rank <= at < rank:
        raise Mistake(f"axis {at} of {rank}")
    return at % rank


def last_axis(v, axis):
    return one_axis(v, number(-1) if axis is None else axis)


def is_true(v):
    return v is not None and bool(v.elements)


# ---- element by element ----

def sigmoid_of(x):
    return 1 / (1 + np.exp(-x))


ERF = np.vectorize(math.erf, otypes=[float])
OF_FLOATS = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "erf": ERF,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint, "relu": lambda x: np.where(x > 0, x, 0),
    "gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2, "silu": lambda x: x * sigmoid_of(x), "sigmoid": sigmoid_of,
    "softplus": lambda x: np.logaddexp(0, x), "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6}
OF_TWO_FLOATS = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot}
ABOUT_FLOATS = {"is_nan": np.isnan, "is_inf": np.isinf, "is_finite": np.isfinite}


def of_floats(f):
    return lambda x: rounded(x, f(in_f64(x)))


def of_two_floats(f):
    def both(x, y):
        x, y = promoted(x, y)
        return rounded(x, f(in_f64(x), in_f64(y)))
    return both


FUNCTIONS.update({name: of_floats(f) for name, f in OF_FLOATS.items()})
FUNCTIONS.update({name: of_two_floats(f) for name, f in OF_TWO_FLOATS.items()})
FUNCTIONS.update({name: lambda x, f=f: Value("bool", f(in_f64(x))) for name, f in ABOUT_FLOATS.items()})
FUNCTIONS.update({name: lambda x, name=name: cast(x, name) for name in NUMPY if name not in ("whole", "fraction")})


@function
def abs_(x):
    x = widened(x)
    return Value(x.dtype, np.abs(x.elements))


@function
def sign(x):
    x = widened(x)
    a = x.elements
    return Value(x.dtype, np.where(a > 0, 1, np.where(a < 0, -1, a)))


@function
def popcount(x):
    x = widened(x)
    every = 2**(8 * x.elements.itemsize) - 1
    return Value(x.dtype, np.array([bin(int(a) & every).count("1") for a in x.elements.ravel()]).reshape(x.shape))


@function
def fma(x, y, z):
    x, y, z = promoted(x, y, z)
    return rounded(x, in_f64(x) * in_f64(y) + in_f64(z))


@function
def leaky_relu(x, slope=number(0.01)):
    return rounded(x, np.where(in_f64(x) > 0, in_f64(x), in_f64(x) * in_f64(slope)))


@function
def elu(x, alpha=number(1)):
    return rounded(x, np.where(in_f64(x) > 0, in_f64(x), np.expm1(in_f64(x)) * in_f64(alpha)))


@function
def clamp(x, low, high):
    return min_(max_(x, low), high)


# ---- reductions ----

def extreme(of_two, of_many, nothing):
    def of(x, y=None, axis=None, keep=None):
        if y is not None:
            x, y = promoted(x, y)
            return Value(x.dtype, np.where(of_two(x.elements, y.elements), x.elements, y.elements))
        x = widened(x)
        worst = np.array(nothing * np.inf if x.is_float else getattr(np.iinfo(NUMPY[x.dtype]), "max" if nothing > 0 else "min"),
                         NUMPY[x.dtype])
        a = np.where(x.elements != x.elements, worst, x.elements)  # NaN is skipped
        return Value(x.dtype, of_many(a, axis=one_axis(x, axis), keepdims=is_true(keep), initial=worst))
    return of


min_ = FUNCTIONS["min"] = extreme(np.less, np.min, 1)
max_ = FUNCTIONS["max"] = extreme(np.greater, np.max, -1)


def position(of_many, nothing):
    def of(x, axis=None, keep=None):
        x, at = widened(x), one_axis(x, axis)
        best = of_many(np.where(x.elements != x.elements, nothing, x.elements) if x.is_float else x.elements, axis=at,
                       keepdims=True, initial=None if x.shape[at] else 0)
        first = np.argmax(x.elements == best, axis=at) if x.shape[at] else np.full(best.squeeze(at).shape, NOWHERE, np.uint64)
        return Value("u64", np.expand_dims(first, at) if is_true(keep) else first)
    return of


FUNCTIONS["argmin"] = position(np.min, np.inf)
FUNCTIONS["argmax"] = position(np.max, -np.inf)


def in_its_type(f):
    def of(x, axis=None, keep=None):
        x = widened(x)
        a = x.elements.astype(np.float64) if x.is_float else x.elements
        return Value(x.dtype, f(a, axis=one_axis(x, axis), keepdims=is_true(keep), dtype=a.dtype))
    return of


FUNCTIONS["sum"] = in_its_type(np.sum)
FUNCTIONS["prod"] = in_its_type(np.prod)


def of_truth(f):
    def of(x, axis=None, keep=None):
        if x.dtype != "bool":
            raise Mistake(f"{x.dtype} is no truth value")
        return Value("bool", f(x.elements, axis=one_axis(x, axis), keepdims=is_true(keep)))
    return of


FUNCTIONS["any"] = of_truth(np.any)
FUNCTIONS["all"] = of_truth(np.all)


def of_reduced_floats(f):
    return lambda x, axis=None, keep=None: rounded(x, f(in_f64(x), one_axis(x, axis), is_true(keep)))


def log_sum_exp(a, axis, keep):
    top = np.max(a, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    found = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    return found if keep else np.squeeze(found, axis)


FUNCTIONS["mean"] = of_reduced_floats(lambda a, axis, keep: np.sum(a, axis=axis, keepdims=keep) / np.float64(a.shape[axis]))
FUNCTIONS["norm"] = of_reduced_floats(lambda a, axis, keep: np.sqrt(np.sum(a * a, axis=axis, keepdims=keep)))
FUNCTIONS["logsumexp"] = of_reduced_floats(log_sum_exp)


@function
def cumsum(x, axis=None):
    x = widened(x)
    a = x.elements.astype(np.float64) if x.is_float else x.elements
    return Value(x.dtype, np.cumsum(a, axis=one_axis(x, axis), dtype=a.dtype))


# ---- products ----

@function
def dot(a, b):
    a, b = promoted(a, b)
    wide = np.float64 if a.is_float else a.elements.dtype
    return Value(a.dtype, np.sum(a.elements.astype(wide) * b.elements, axis=-1, dtype=wide))


@function
def outer(a, b):
    a, b = promoted(a, b)
    return Value(a.dtype, np.outer(a.elements, b.elements))


@function
def einsum(text, *operands):
    operands = promoted(*operands)
    wide = np.float64 if operands[0].is_float else operands[0].elements.dtype
    return Value(operands[0].dtype, np.einsum(text, *(o.elements.astype(wide) for o in operands)))


# ---- normalisation ----

@function
def softmax(x, axis=None):
    a, at = in_f64(x), last_axis(x, axis)
    e = np.exp(a - np.max(a, axis=at, keepdims=True, initial=-np.inf))
    return rounded(x, e / np.sum(e, axis=at, keepdims=True))


def scaled(x, normal_, at, scale, shift):
    """`scale` and `shift` are vectors along the axis."""
    if scale is not None:
        normal_ = normal_ * np.moveaxis(in_f64(scale).reshape((1,) * (len(x.shape) - 1) + (-1,)), -1, at)
    if shift is not None:
        normal_ = normal_ + np.moveaxis(in_f64(shift).reshape((1,) * (len(x.shape) - 1) + (-1,)), -1, at)
    return rounded(x, normal_)


@function
def layernorm(x, scale=None, shift=None, axis=None, epsilon=number(1e-5)):
    a, at = in_f64(x), last_axis(x, axis)
    middle = a - np.mean(a, axis=at, keepdims=True)
    return scaled(x, middle / np.sqrt(np.mean(middle * middle, axis=at, keepdims=True) + in_f64(epsilon)), at, scale, shift)


@function
def rmsnorm(x, scale=None, axis=None, epsilon=number(1e-5)):
    a, at = in_f64(x), last_axis(x, axis)
    return scaled(x, a / np.sqrt(np.mean(a * a, axis=at, keepdims=True) + in_f64(epsilon)), at, scale, None)


# ---- shapes ----

@function
def size(x, axis=None):
    return number(x.shape[one_axis(x, axis)])


@function
def reshape(x, sizes):
    return Value(x.dtype, x.elements.reshape([s.whole() for s in sizes]))


@function
def transpose(x, axes=None):
    return Value(x.dtype, x.elements.transpose(axes and [a.whole() for a in axes]))


@function
def expand(x, axis):
    return Value(x.dtype, np.expand_dims(x.elements, axis.whole()))


@function
def broadcast(x, sizes):
    return Value(x.dtype, np.broadcast_to(x.elements, [s.whole() for s in sizes]))


def of_one_type(values):
    """Nothing is computed: what is stored stays so, where all are of one type."""
    return values if len({v.dtype for v in values}) == 1 else promoted(*values)


@function
def concat(*parts, axis=number(0)):
    parts = of_one_type(parts)
    return Value(parts[0].dtype, np.concatenate([p.elements for p in parts], axis.whole()))


@function
def stack(*parts, axis=number(0)):
    parts = of_one_type(parts)
    return Value(parts[0].dtype, np.stack([p.elements for p in parts], axis.whole()))


@function
def pad(x, before=number(0), after=number(0), axis=None, value=number(0)):
    around = [(0, 0)] * len(x.shape)
    around[one_axis(x, axis)] = before.whole(), after.whole()
    return Value(x.dtype, np.pad(x.elements, around, constant_values=taking(value, x.dtype).elements))


@function
def iota(n, start=number(0)):
    return Value("u32", np.arange(start.whole(), start.whole() + n.whole()))


@function
def one_hot(i, n):
    return Value("f32", widened(i).elements[..., None] == np.arange(n.whole()).astype(widened(i).elements.dtype))


@function
def gather_(x, i, axis=number(0)):
    return gather(x, i, axis.whole())


# ---- fields that may not be there, or not in full ----

@function
def length(x):
    return Value("u32", x.shape[0])


@function
def fill(x, v):
    missing = x.room - x.shape[0]
    x, v = promoted(x, v)
    return Value(x.dtype, np.concatenate([x.elements, np.full(missing, v.elements)]))


@function
def has(x):
    return Value("bool", x.there)


# ---- order ----

@function
def topk(x, k):
    """What a bounded vector lacks is NaN, or the lowest value, nowhere."""
    best, at = in_order(x, True, k.whole())
    missing = k.whole() - best.shape[-1]
    if x.room is None or missing <= 0:
        return best, at
    worst = np.nan if x.is_float else np.iinfo(NUMPY[best.dtype]).min
    return (Value(best.dtype, np.concatenate([best.elements, np.full(missing, worst, best.elements.dtype)])),
            Value("u64", np.concatenate([at.elements, np.full(missing, NOWHERE, np.uint64)])))


@function
def sort(x, descending=None):
    return in_order(x, is_true(descending))[0]


@function
def argsort(x, descending=None):
    return in_order(x, is_true(descending))[1]


# ---- random numbers ----

def key_of(key):
    return int(taking(key, "u32").elements)


@function
def random_(key, n):
    return Value("u32", random(key_of(key), range(n.whole())))


@function
def uniform_(key, n):
    return Value("f32", uniform(key_of(key), range(n.whole())))


@function
def normal_(key, n):
    return Value("f32", normal(key_of(key), n.whole()))
