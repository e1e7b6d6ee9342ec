# SPDX-License-Identifier: Apache-2.0
# Arrays that NumPy wrote go through psyne run, over several shards, and come back as NumPy reckons; every element type goes in and out
# of a variant as it is; the values of a trace are those that NumPy has.
import json, subprocess, sys
import numpy as np

psyne = sys.argv[1]
rng = np.random.default_rng(7)
N, M, Q = 300, 50, 40


def run(pipeline, *options):
    data = ["--data", "rows=r.npy", "--data", "names=n.txt", "--data", "kept=k.npy", "--keys", "kept=y.npy", "--data", "bias=b.npy"]
    done = subprocess.run([psyne, "run", "pets.psm", "-p", pipeline, *data, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_close(a, b, bound=1e-5):
    assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
    assert np.all(np.abs(a.astype("f8") - b.astype("f8")) <= bound * np.maximum(1, np.abs(b.astype("f8")))), (a, b)


rows, kept, bias = (rng.standard_normal(s).astype("f4") for s in ((N, 4), (M, 4), (4,)))
keys = rng.permutation(10 * M)[:M].astype("u8")
np.save("r.npy", rows), np.save("k.npy", kept), np.save("y.npy", keys), np.save("b.npy", bias)
open("n.txt", "w").write("".join("p%d\n" % i for i in range(N)))
queries = rng.standard_normal((Q, 4)).astype("f4")
np.save("q.npy", queries), np.save("three.npy", np.array(3, "u4"))
scores = (queries + bias) @ rows.T
order = np.argsort(-scores, axis=1, kind="stable")[:, :3]

for shards in ("1", "2", "3", "8"):
    run("best", "-i", "vector=q.npy", "-i", "k=three.npy", "-o", "score=s.npy", "-o", "index=i.npy", "--shards", shards, "--batch", "16")
    index = np.load("i.npy")
    assert index.dtype == np.dtype("u8") and np.array_equal(index, order.astype("u8"))
    is_close(np.load("s.npy"), np.take_along_axis(scores, order, 1))
    asked = keys[rng.integers(0, M, 30)]
    np.save("asked.npy", asked)
    run("kept_row", "-i", "key=asked.npy", "-o", "value=v.npy", "--shards", shards)
    wanted = kept[[np.flatnonzero(keys == k)[0] for k in asked]] * 2
    assert np.array_equal(np.load("v.npy"), wanted)

# NumPy 1 and 3: a long header has version 2, names of fields that are not Latin 1 have 3; both are read.
for version in ((1, 0), (2, 0), (3, 0)):
    with open("q2.npy", "wb") as f:
        np.lib.format.write_array(f, queries, version=version)
    assert len(run("best", "-i", "vector=q2.npy").splitlines()) == Q

x = rng.standard_normal((5, 3, 2)).astype("f4")
np.save("x.npy", x)
run("twice", "-i", "x=x.npy", "-o", "y=y2.npy")
assert np.array_equal(np.load("y2.npy"), x + x)
fortran = np.asfortranarray(x)
np.save("x.npy", fortran)
done = subprocess.run([psyne, "run", "pets.psm", "-p", "twice", "-i", "x=x.npy"], capture_output=True, text=True, timeout=60)
assert done.returncode == 1 and "Fortran order: save `numpy.ascontiguousarray(x)`" in done.stderr, done.stderr
np.save("x.npy", x.astype(">f4"))
done = subprocess.run([psyne, "run", "pets.psm", "-p", "twice", "-i", "x=x.npy"], capture_output=True, text=True, timeout=60)
assert done.returncode == 1 and "big-endian" in done.stderr, done.stderr

# Every element type, as it is; bf16 is two bytes for NumPy.
for dtype in ("?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f2", "<V2", "<f4", "<f8"):
    raw = rng.integers(0, 256, 3 * 16, dtype="u1") & (1 if dtype == "?" else 0x3F)
    x = np.frombuffer(raw.tobytes(), dtype)[:6].reshape(2, 3)
    np.save("x.npy", x)
    run("same", "-i", "x=x.npy", "-o", "y=z.npy")
    y = np.load("z.npy")
    assert y.dtype == x.dtype and y.shape == x.shape and y.tobytes() == x.tobytes(), (dtype, x, y)

# A trace: the values of one shard, and the merge's.
np.save("one.npy", queries[:1])
for shards in (1, 3):
    lines = [json.loads(l) for l in run("best", "-i", "vector=one.npy", "--trace", "--json", "--values", "1000", "--shards", str(shards)).splitlines()]
    traces, replies = [l for l in lines if "trace" in l], [l for l in lines if "reply" in l]
    assert len(traces) == shards + 1 and len(replies) == 1 and [t["merge"] for t in traces] == [False] * shards + [True]
    parts = sorted((t for t in traces if not t["merge"]), key=lambda t: t["shard"])
    got = []
    for t in parts:
        values = {v["register"]: v for v in t["trace"]}
        sums = [v for v in values.values() if v["op"] == "add" and v["shape"] == [4]]
        assert len(sums) == 1
        is_close(np.array(sums[0]["first"], "f4"), queries[0] + bias)
        dots = [v for v in values.values() if v["op"] == "dot"]
        assert len(dots) == 1 and dots[0]["file"].endswith("pets.hrm") and "let scores" in dots[0]["text"]
        d = np.array(dots[0]["first"], "f4")
        assert list(d.shape) == dots[0]["shape"] and np.float32(dots[0]["min"]) == d.min() and np.float32(dots[0]["max"]) == d.max()
        is_close(np.array(dots[0]["mean"]), d.astype("f8").mean())
        got.append(d)
    is_close(np.concatenate(got), scores[0])

nans = np.array([[np.nan, np.inf, -np.inf, 1, 2]], "f4")
np.save("few.npy", nans)
(trace, reply) = [json.loads(l) for l in run("echo", "-i", "few=few.npy", "--trace", "--json").splitlines()]
few = next(v for v in trace["trace"] if v["op"] == "load" and v["name"] == "few")
assert few["nan"] == 1 and few["infinite"] == 2 and few["min"] == "-Infinity" and few["max"] == "Infinity" and few["mean"] == 1, few

print("all as NumPy has it")
