# SPDX-License-Identifier: Apache-2.0
"""Weights that numpy.save and a writer of .safetensors wrote, read back and computed with. Called by weights.sh with psynec and
run_module."""
import json
import math
import struct
import subprocess
import sys

import numpy as np

NUMBERS = np.random.RandomState(5)
NAMES = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "u16",
         "u4": "u32", "u8": "u64", "b1": "bool"}


def safetensors(path, tensors):
    header, data = {}, b""
    for name, x in tensors.items():
        header[name] = {"dtype": NAMES[x.dtype.str[1:]].upper(), "shape": list(x.shape),
                        "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def run(schema, program, asked):
    for name, text in (("n.psy", "namespace n;\n" + schema), ("n.hrm", 'import "n.psy"\n' + program)):
        with open(name, "w") as file:
            file.write(text)
    subprocess.run([sys.argv[1], "n.hrm", "--no-kernels", "-o", "."], check=True)
    out = subprocess.run([sys.argv[2], "n.psm"], input=asked, text=True, check=True, stdout=subprocess.PIPE).stdout
    return {line.split()[0]: np.array([float(w) for w in line.split()[1:]]) for line in out.splitlines() if " " in line}


def every_dtype():
    """Each element type in both orders of axes and of bytes, as numpy.save writes it."""
    for code, name in NAMES.items():
        for order in "CF":
            for end in "<>":
                x = NUMBERS.randint(0, 2 if code == "b1" else 100, (2, 3, 4)).astype(end + code)
                np.save("x.npy", np.asarray(x, order=order))
                got = run("message Q { k: u8; } message R { x: f64[24]; }",
                          f'param x: {name}[2, A, B] = "x.npy"\npipeline p(q: Q) -> R {{ R {{ x: f64(reshape(x, [24])) }} }}\n',
                          "pipeline p\nk 1\nrun\n")["x"]
                assert np.array_equal(got, x.astype(np.float64).ravel()), (code, order, end)


def network():
    """Two layers, gelu and softmax."""
    w1, w2 = (NUMBERS.normal(0, 0.5, s).astype(np.float32) for s in ((32, 16), (7, 32)))
    b1, b2 = (NUMBERS.normal(0, 0.5, s).astype(np.float32) for s in (32, 7))
    safetensors("m.safetensors", {"net.0.weight": w1, "net.0.bias": b1, "net.2.weight": w2})
    np.save("b.npy", b2)
    x = NUMBERS.normal(0, 1, 16).astype(np.float32)
    got = run("message Q { x: f32[16]; } message R { p: f32[7]; }",
              'param w1: f32[H, D] = "m.safetensors"["net.0.weight"]\nparam b1: f32[H] = "m.safetensors"["net.0.bias"]\n'
              'param w2: f32[C, H] = "m.safetensors"["net.2.weight"]\nparam b2: f32[C] = "b.npy"\n'
              "pipeline p(q: Q) -> R { R { p: softmax(w2 @ gelu(w1 @ q.x + b1) + b2) } }\n",
              f"pipeline p\nx {' '.join(map(repr, x.tolist()))}\nrun\n")["p"]
    h = w1.astype(np.float64) @ x + b1
    y = w2 @ (h * (1 + np.vectorize(math.erf)(h / math.sqrt(2))) / 2) + b2
    wanted = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
    assert np.abs(got - wanted).max() < 1e-6, (got, wanted)


every_dtype()
network()
print("all as NumPy has it")
