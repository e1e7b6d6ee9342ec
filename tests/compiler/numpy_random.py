# SPDX-License-Identifier: Apache-2.0
"""Compares what the CPU engine made of random programs with what NumPy makes of them. numpy_random.py FOLDER reads the files
that write_random_hrm wrote there, prints what differs, and last a line of what was compared. With --planted it makes one function
of NumPy's side after the other wrong, and fails where nothing differs then."""
import os
import re
import sys

import numpy as np

import numpy_hrm_values
from numpy_hrm import Program
from numpy_hrm_functions import FUNCTIONS
from numpy_hrm_syntax import NotUnderstood
from numpy_hrm_values import NUMPY, Mistake, Optional, Value, bounded, stored

FAILURES_SHOWN = 5
REFUSED = (NotUnderstood, Mistake, ValueError, TypeError, IndexError, KeyError)


def read_elements(file, dtype, sizes):
    shape = [int(s) for s in sizes]
    count = int(np.prod(shape, dtype=int))
    if dtype == "bf16":  # the upper half of an f32
        halves = np.frombuffer(file.read(2 * count), np.uint16)
        return Value(dtype, (halves.astype(np.uint32) << 16).view(np.float32).reshape(shape))
    kind = np.dtype(NUMPY[dtype])
    return Value(dtype, np.frombuffer(file.read(count * kind.itemsize), kind).reshape(shape))


class Case:
    """A program, what it was run on and what came out."""

    def __init__(self, seed, text):
        self.seed, self.text, self.sizes, self.residents, self.messages = seed, text, {}, {}, []
        self.program = None

    def read(self, file):
        for line in iter(file.readline, b"end\n"):
            word, *rest = line.decode().split()
            if word == "size":
                self.sizes[rest[0]] = int(rest[1])
            elif word == "resident":
                self.residents[rest[0]] = read_elements(file, rest[1], rest[2:])
            elif word == "message":
                self.messages.append(({}, {}))
            elif word == "input":
                self.messages[-1][0][rest[0]] = read_elements(file, rest[1], rest[2:])
            elif word == "bounded":
                value = read_elements(file, rest[2], rest[3:])
                self.messages[-1][0][rest[1]] = bounded(value, int(rest[0]))
            elif word == "optional":
                self.messages[-1][0][rest[1]] = Optional(read_elements(file, rest[2], rest[3:]), rest[0] == "1")
            elif word == "output":
                self.messages[-1][1][rest[0]] = float(rest[2]), read_elements(file, rest[1], rest[3:])
            else:
                raise ValueError(f"{word} in a file of programs")
        return self

    def differences(self):
        """Of each field that is not what NumPy says, and how many elements were compared."""
        self.program = self.program or Program(self.text, self.sizes, self.residents)
        found, compared = [], 0
        for number, (inputs, outputs) in enumerate(self.messages):
            answer = self.program.run("p", inputs)
            if set(answer) != set(outputs):
                raise Mistake(f"fields {sorted(answer)} and {sorted(outputs)}")
            for name, (tolerance, engine) in outputs.items():
                mine = stored(answer[name], engine.dtype).elements.ravel()
                its = engine.elements.ravel()
                compared += its.size
                if mine.shape != its.shape or not np.all(is_same(its, mine, tolerance)):
                    found.append(f"message {number}, {name}: the engine has {its.tolist()}, NumPy {mine.tolist()}")
        return found, compared


def is_same(its, mine, tolerance):
    """Exactly, NaN for NaN, or within the tolerance: floats of a size that is not finite have none."""
    same = (its == mine) | ((its != its) & (mine != mine))
    if tolerance:
        with np.errstate(all="ignore"):
            near = np.abs(its.astype(np.float64) - mine) <= tolerance * np.maximum(1, np.abs(its.astype(np.float64)))
        same |= near & np.isfinite(its) & np.isfinite(mine)
    return same


def cases(path):
    """Each program of a file; None for one that has no split."""
    with open(path, "rb") as file:
        for line in iter(file.readline, b""):
            word, seed, *rest = line.decode().split()
            yield Case(seed, file.read(int(rest[0])).decode()).read(file) if word == "program" else None


def compare(folder):
    programs = failed = unsplit = values = 0
    for kind in sorted(os.listdir(folder)):
        for case in cases(os.path.join(folder, kind)):
            if case is None:
                unsplit += 1
                continue
            programs += 1
            try:
                found, compared = case.differences()
                values += compared
            except REFUSED as why:
                found = [f"{type(why).__name__}: {why}"]
            failed += bool(found)
            if found and failed <= FAILURES_SHOWN:
                print(f"{kind}, seed {case.seed}:", *found[:3], case.text, sep="\n")
    print(f"{programs} programs compared, {failed} differ, {unsplit} have no split, {values} values")
    return failed != 0


# ---- planted mistakes ----

def spoilt(result):
    if isinstance(result, tuple):
        return tuple(spoilt(r) for r in result)
    elements = result.elements if isinstance(result, Value) else np.asarray(result)
    elements = np.logical_not(elements) if elements.dtype == bool else elements + np.ones_like(elements)
    return Value(result.dtype, elements) if isinstance(result, Value) else elements


def is_noticed(table, name, some):
    right = table[name]
    table[name] = lambda *given, **named: spoilt(right(*given, **named))
    try:
        for case in some:
            try:
                if case.differences()[0]:
                    return True
            except REFUSED:  # a size came out wrong
                return True
        return False
    finally:
        table[name] = right


def plant(folder):
    every = [c for kind in sorted(os.listdir(folder)) for c in cases(os.path.join(folder, kind)) if c]
    tables = [(FUNCTIONS, r"\b{}\b"), *((getattr(numpy_hrm_values, t), " {} ") for t in ("ARITHMETIC", "BITS", "TESTS", "LOGIC")),
              (numpy_hrm_values.ONE, r"[(= ]{}[a-z_]")]
    noticed, missed, absent = 0, [], []
    for table, pattern in tables:
        for name in sorted(table):
            there = re.compile(pattern.format(re.escape(name)))
            some = [c for c in every if there.search(c.text.split("pipeline ")[1])]
            if not some:
                absent.append(name)
            elif is_noticed(table, name, some):
                noticed += 1
            else:
                missed.append(name)
    print("in no program:", *absent)
    print(f"{noticed} noticed, {len(missed)} not:", *missed)
    return missed != []


def main():
    return plant(sys.argv[2]) if sys.argv[1] == "--planted" else compare(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
