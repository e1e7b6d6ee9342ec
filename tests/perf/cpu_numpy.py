# SPDX-License-Identifier: Apache-2.0
"""The workloads of bench_cpu in numpy, on one thread: asked on the standard input, a line and an array each.

    WORKLOAD TIMES COUNT    and COUNT f32; answered by SECONDS BYTES and what it gave
    data NAME COUNT         and COUNT f32, kept for the workloads"""
import os
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np

data = {}


def curve(x):
    return np.tanh(np.float32(1.5) * x + np.float32(0.25)) * np.float32(0.75) + np.exp(-x * x)


def cheap(x):
    return np.maximum(np.float32(1.5) * x + np.float32(0.25), 0) * np.float32(0.5) - x


def search(q):
    scores = q.reshape(-1, 128) @ data["rows"].reshape(-1, 128).T
    best = np.argpartition(-scores, 10, axis=1)[:, :10]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
    rows = np.take_along_axis(best, order, 1)
    return np.concatenate([np.take_along_axis(scores, rows, 1).ravel(), rows.ravel().astype(np.float32)])


def mlp(x):
    x = x.reshape(-1, 784)
    for i, (n, m) in enumerate(((256, 784), (128, 256), (10, 128))):
        x = x @ data["w%d" % i].reshape(n, m).T + data["b%d" % i]
        if i < 2:
            x = np.maximum(x, 0)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def small(x):
    return np.maximum(np.dot(x, data["one"]) * np.float32(0.125), 0)


WORKLOADS = {"curve": curve, "cheap": cheap, "search": search, "mlp": mlp, "small": small}


def read(count):
    return np.frombuffer(sys.stdin.buffer.read(4 * count), np.float32)


print("numpy", np.__version__, flush=True)
for line in sys.stdin.buffer:
    words = line.decode().split()
    if words[0] == "data":
        data[words[1]] = read(int(words[2])).copy()
        continue
    run, x = WORKLOADS[words[0]], read(int(words[2])).copy()
    start = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
    for _ in range(int(words[1])):
        out = run(x)
    seconds = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) - start
    out = np.ascontiguousarray(out, np.float32)
    sys.stdout.buffer.write(b"%.9f %d\n" % (seconds, out.nbytes) + out.tobytes())
    sys.stdout.buffer.flush()
