# SPDX-License-Identifier: Apache-2.0
"""Runs programs of the language with NumPy, one message at a time: written from doc/language.md, to compare the compiler and its
engines with. It is slow and whole: no batches, no shards, no optimising.

    program = Program(text, {"N": 3}, {"table": Value("f32", rows)})
    program.run("p", {"f0": Value("f32", [1, 2])})      {"o0": Value, ...}
"""
import numpy as np

from numpy_hrm_functions import FUNCTIONS
from numpy_hrm_syntax import NotUnderstood, parse
from numpy_hrm_values import WEAK, Mistake, Value, binary, bounded, gather, number, otherwise, taking, unary


def keep_room(result, operands):
    """What is computed element by element of a bounded vector has its room."""
    rooms = [o.room for o in operands if isinstance(o, Value) and o.room is not None]
    if rooms and isinstance(result, Value) and result.shape:
        result.room = rooms[0]
    return result


class Program:
    def __init__(self, text, sizes, residents):
        self.names, self.sizes = {name: number(size) for name, size in sizes.items()}, set(sizes)
        self.functions, self.pipelines = {}, {}
        for item in parse(text):
            if item[0] == "const":
                self.names[item[1]] = self.value(item[2], self.names)
            elif item[0] == "resident":
                self.names[item[1]] = self.declared(item[1], residents[item[1]], item[2], self.names)
            elif item[0] == "fn":
                self.functions[item[1]] = item[2:]
            else:
                self.pipelines[item[1]] = item[2:]

    def run(self, pipeline, *messages):
        """A message, and what comes out, are dictionaries of values; several answers come as a list."""
        inputs, lets, records = self.pipelines[pipeline]
        names = dict(self.names)
        names.update({name: message for (name, _), message in zip(inputs, messages)})
        with np.errstate(all="ignore"):
            for declared, tree in lets:
                value = self.value(tree, names)
                names.update(zip(declared, value) if len(declared) > 1 else {declared[0]: value})
            answers = [self.value(record, names) for record in records]
        return answers[0] if len(answers) == 1 else answers

    # ---- declarations ----

    def declared(self, name, value, type_, names):
        """`value` as what it is declared to be; sizes that are not known yet become known."""
        dtype, sizes = type_
        value = taking(value, dtype) if value.dtype in WEAK else value
        if value.dtype != dtype or len(value.shape) != len(sizes):
            raise Mistake(f"{name} is {value.dtype}{value.shape}")
        for tree, found in zip(sizes, value.shape):
            if tree[0] == "name" and tree[1] not in names:
                names[tree[1]] = number(found)
        for tree, found in zip(sizes, value.shape):
            if self.value(tree, names).whole() != found:
                raise Mistake(f"{name} is {value.dtype}{value.shape}")
        return value

    def called(self, name, given):
        """The sizes in a function's types are its own, whatever the file calls so."""
        parameters, result, body = self.functions[name]
        own = {tree[1] for _, (_, sizes) in parameters for tree in sizes if tree[0] == "name"} & self.sizes
        names = {n: v for n, v in self.names.items() if n not in own}
        values = dict(zip((n for n, _ in parameters), (v for n, v in given if n is None)))
        values.update({n: v for n, v in given if n is not None})
        for parameter, type_ in parameters:
            names[parameter] = self.declared(parameter, values[parameter], type_, names)
        return self.declared(name, self.value(body, names), result, names)

    # ---- expressions ----

    def value(self, tree, names):
        kind = tree[0]
        if kind == "number":
            return number(tree[1])
        if kind == "truth":
            return Value("bool", tree[1])
        if kind == "text":
            return tree[1]
        if kind == "name":
            if tree[1] not in names:
                raise Mistake(f"{tree[1]} is not known")
            return names[tree[1]]
        if kind == "list":
            return [self.value(t, names) for t in tree[1]]
        if kind == "field":
            return self.value(tree[1], names)[tree[2]]
        if kind == "record":
            return {name: self.value(t, names) for name, t in tree[2]}
        if kind == "call":
            given = [(name, self.value(t, names)) for name, t in tree[2]]
            return self.call(tree[1], given) if tree[1] == "fill" else keep_room(self.call(tree[1], given), [v for _, v in given])
        operands = [self.value(t, names) for t in tree[1:] if isinstance(t, tuple)]
        if kind == "unary":
            return keep_room(unary(tree[1], *operands), operands)
        if kind == "binary":
            return keep_room(otherwise(*operands) if tree[1] == "??" else binary(tree[1], *operands), operands)
        if kind == "if":
            return keep_room(FUNCTIONS["select"](*operands), operands)
        return self.part(self.value(tree[1], names), tree[2], names)

    def call(self, name, given):
        if name in self.functions:
            return self.called(name, given)
        if name not in FUNCTIONS:
            raise NotUnderstood(f"no function is called {name}")
        return FUNCTIONS[name](*(v for n, v in given if n is None), **{n: v for n, v in given if n is not None})

    def part(self, value, indices, names):
        """An axis after the other; known numbers count from the end where they are negative, others are gathered."""
        axis = 0
        for index in indices:
            length = value.shape[axis]
            before = (slice(None),) * axis
            if index[0] == "part":
                end = index[2] and self.value(index[2], names)
                if end and end.dtype not in WEAK:  # known at run time only
                    value, axis = bounded(value, int(end.elements)), axis + 1
                    continue
                start, end, step = (None if t is None else self.value(t, names).whole() for t in index[1:])
                value, axis = Value(value.dtype, value.elements[before + (slice(start, end, step),)]), axis + 1
                continue
            at = self.value(index[1], names)
            if at.dtype == "whole" and not at.shape:
                if not -length <= at.whole() < length:
                    raise Mistake(f"place {at.whole()} of {length}")
                value = Value(value.dtype, value.elements[before + (at.whole(),)])
            else:
                value, axis = gather(value, at, axis), axis + len(at.shape)
        return value
