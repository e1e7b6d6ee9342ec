# SPDX-License-Identifier: Apache-2.0
"""Programs of the language (doc/language.md, "Words" and "Grammar") as trees of tuples. Everything but imports, param, guards,
attributes with a meaning and texts as data.

    parse(text)  a list of items:
        ("const", name, expr)   ("resident", name, type)   ("fn", name, [(name, type)], type, expr)
        ("pipeline", name, [(name, message)], [([name], expr)], [record])        type: (dtype, [expr])
    expr:
        ("number", value)  ("truth", bool)  ("text", str)  ("name", name)  ("list", [expr])  ("field", expr, name)
        ("call", name, [(name or None, expr)])  ("unary", sign, expr)  ("binary", sign, expr, expr)
        ("if", expr, expr, expr)  ("index", expr, [index])  ("record", name, [(name, expr)])
    index:
        ("at", expr)  ("part", from, to, step)        what is left out is None
"""
import re

WORD = re.compile(r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<fraction>\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))
    |(?P<whole>0x[0-9a-fA-F_]+|0b[01_]+|\d[\d_]*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<sign>\|>|->|\.\.|&&|\|\||\?\?|<<|>>|[=!<>]=|[-+*/%@<>!&|^~=:;,.()\[\]{}])""", re.X | re.S)
# From what binds least to what binds most; `test` does not chain.
LEVELS = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">="], ["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%", "@"]]
LEVEL_OF = {sign: level for level, signs in enumerate(LEVELS) for sign in signs}
TESTS = LEVEL_OF["=="]


class NotUnderstood(Exception):
    """The program uses what this reader does not know, or is wrong."""


def words_of(text):
    words, at = [], 0
    while at < len(text):
        found = WORD.match(text, at)
        if not found:
            raise NotUnderstood(f"what is {text[at:at + 10]!r}?")
        if found.lastgroup != "space":
            words.append((found.lastgroup, found.group()))
        at = found.end()
    return words + [("end", "")]


class Parser:
    def __init__(self, text):
        self.words, self.at = words_of(text), 0

    def sees(self, *words):
        kind, word = self.words[self.at]
        return kind in ("sign", "name") and word in words

    def takes(self, *words):
        if not self.sees(*words):
            return None
        self.at += 1
        return self.words[self.at - 1][1]

    def needs(self, word):
        if not self.takes(word):
            raise NotUnderstood(f"{word!r} is missing before {' '.join(w for _, w in self.words[self.at:self.at + 5])!r}")

    def kind(self, kind):
        found, word = self.words[self.at]
        if found != kind:
            raise NotUnderstood(f"a {kind} is missing before {word!r}")
        self.at += 1
        return word

    def several(self, one, end):
        """What `one` reads, with commas between, until `end`."""
        found = []
        while not self.takes(end):
            found.append(one())
            if not self.takes(","):
                self.needs(end)
                break
        return found

    # ---- items ----

    def file(self):
        items = []
        while self.words[self.at][0] != "end":
            word = self.kind("name")
            read = {"const": self.const, "resident": self.resident, "fn": self.function, "pipeline": self.pipeline}.get(word)
            if not read:
                raise NotUnderstood(f"{word!r} begins nothing that is known here")
            items.append(read())
            self.takes(";")
        return items

    def const(self):
        name = self.kind("name")
        self.needs("=")
        return "const", name, self.expr()

    def resident(self):
        name, type_ = self.parameter()
        if self.takes("by"):
            raise NotUnderstood("data by key is not known here")
        if self.takes("split"):
            self.kind("name")
        self.takes("replicated")
        return "resident", name, type_

    def parameter(self):
        name = self.kind("name")
        self.needs(":")
        return name, self.type()

    def type(self):
        return self.kind("name"), self.several(self.expr, "]") if self.takes("[") else []

    def function(self):
        name = self.kind("name")
        self.needs("(")
        parameters = self.several(self.parameter, ")")
        self.needs("->")
        result = self.type()
        self.needs("=")
        return "fn", name, parameters, result, self.expr()

    def message(self):
        name = self.kind("name")
        self.needs(":")
        return name, self.kind("name")

    def attributes(self):
        """They change no result."""
        while self.takes("@"):
            self.kind("name")
            if self.takes("("):
                self.expr()
                self.needs(")")

    def pipeline(self):
        self.attributes()
        name = self.kind("name")
        self.needs("(")
        inputs = self.several(self.message, ")")
        self.needs("->")
        if self.takes("("):
            self.several(self.message, ")")
        else:
            self.kind("name")
        self.needs("{")
        lets = []
        while self.takes("let"):
            self.attributes()
            names = self.several(lambda: self.kind("name"), ")") if self.takes("(") else [self.kind("name")]
            self.needs("=")
            lets.append((names, self.expr()))
            self.takes(";")
        records = self.several(self.record, ")") if self.takes("(") else [self.record()]
        self.needs("}")
        return "pipeline", name, inputs, lets, records

    def record(self):
        name = self.kind("name")
        self.needs("{")
        return "record", name, self.several(self.given, "}")

    def given(self):
        name = self.kind("name")
        self.needs(":")
        kinds = [k for k, _ in self.words[self.at:self.at + 2]]
        is_record = kinds == ["name", "sign"] and self.words[self.at + 1][1] == "{"
        return name, self.record() if is_record and not self.sees("if") else self.expr()

    # ---- expressions ----

    def expr(self):
        value = self.otherwise()
        while self.takes("|>"):
            name = self.kind("name")
            value = "call", name, [(None, value)] + (self.several(self.argument, ")") if self.takes("(") else [])
        return value

    def otherwise(self):
        value = self.choice()
        return ("binary", "??", value, self.otherwise()) if self.takes("??") else value

    def choice(self):
        if not self.takes("if"):
            return self.level(0)
        condition = self.otherwise()
        self.needs("{")
        first = self.expr()
        self.needs("}")
        self.needs("else")
        if self.sees("if"):
            return "if", condition, first, self.choice()
        self.needs("{")
        second = self.expr()
        self.needs("}")
        return "if", condition, first, second

    def level(self, least):
        """What binds no less than `least`."""
        value, most = self.unary(), len(LEVELS)
        while True:
            kind, sign = self.words[self.at]
            level = LEVEL_OF.get(sign, -1) if kind == "sign" else -1
            if not least <= level <= most:
                return value
            self.at += 1
            value = "binary", sign, value, self.level(level + 1)
            most = level - 1 if level == TESTS else level

    def unary(self):
        sign = self.takes("-", "!", "~")
        return ("unary", sign, self.unary()) if sign else self.postfix()

    def postfix(self):
        value = self.primary()
        while self.sees(".", "["):
            if self.takes("."):
                value = "field", value, self.kind("name")
            else:
                self.needs("[")
                value = "index", value, self.several(self.index, "]")
        return value

    def index(self):
        start = None if self.sees("..") else self.expr()
        if not self.takes(".."):
            return "at", start
        end = None if self.sees(",", "]", "..") else self.expr()
        return "part", start, end, self.expr() if self.takes("..") else None

    def primary(self):
        kind, word = self.words[self.at]
        self.at += 1
        if kind == "whole":
            return "number", int(word.replace("_", ""), 0)
        if kind == "fraction":
            return "number", float(word.replace("_", ""))
        if kind == "text":
            return "text", re.sub(r"\\(.)", r"\1", word[1:-1])
        if kind == "name":
            if word in ("true", "false"):
                return "truth", word == "true"
            return ("call", word, self.several(self.argument, ")")) if self.takes("(") else ("name", word)
        if word == "(":
            value = self.expr()
            self.needs(")")
            return value
        raise NotUnderstood(f"{word!r} begins no expression")

    def argument(self):
        name = None
        if self.words[self.at][0] == "name" and self.words[self.at + 1] == ("sign", ":"):
            name = self.kind("name")
            self.needs(":")
        return name, ("list", self.several(self.expr, "]")) if self.takes("[") else self.expr()


def parse(text):
    return Parser(text).file()
