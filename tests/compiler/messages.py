# SPDX-License-Identifier: Apache-2.0
"""Lists the messages of compiler/ that no test says, as FILE:LINE: TEXT, and fails if there are any."""
import glob
import re
import sys

source = sys.argv[1]
CALL = re.compile(r"(?:\bERROR|psc_error|psc_warn|psc_over_limit|psc_compat_add|FAILS)\s*\(")
TEXT = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*(?:PRI[a-z]\d+\s*)?)+')
FORMAT = re.compile(r"%[-0-9.*]*(?:ll|l|z)?[a-zA-Z]")
# What says that the compiler is wrong, needs a machine with less memory than there is, or an operation that the language has not.
UNPROVOKED = ("PSC_E_INTERNAL", "the module cannot be written", "there is no C to write")


def read(pattern):
    for path in sorted(glob.glob(source + pattern, recursive=True)):
        with open(path, encoding="utf-8", errors="replace") as file:
            yield path, file.read()


def arguments(text, start):
    """From behind an opening bracket to the one that closes it."""
    depth, at = 1, start
    while depth and at < len(text):
        if text[at] == '"':
            while text[at + 1] != '"':
                at += 2 if text[at + 1] == "\\" else 1
            at += 1
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[start : at - 1]


def messages():
    for pattern in ("/compiler/*.[cly]", "/compiler/lsp/*.c"):
        for path, text in read(pattern):
            for call in CALL.finditer(text):
                inside = arguments(text, call.end())
                literal = TEXT.search(inside)
                if literal and "..." not in inside[:12] and not any(word in inside for word in UNPROVOKED):
                    said = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal.group()))
                    yield path, text.count("\n", 0, call.start()) + 1, said.replace('\\"', '"').replace("\\\\", "\\")


golden = "\n".join(text for _, text in read("/tests/golden/**/*.out"))
others = "\n".join(text for kind in ("sh", "c") for _, text in read("/tests/**/*." + kind))
found = missing = 0
for path, line, said in messages():
    found += 1
    parts = FORMAT.split(said)
    longest = max(parts, key=len).strip(" :`")
    if not re.search(".*".join(re.escape(part) for part in parts), golden) and longest not in others:
        missing += 1
        print(f"{path[len(source) + 1:]}:{line}: {said}", file=sys.stderr)
if found < 150:
    print(f"only {found} messages were found", file=sys.stderr)
sys.exit(missing > 0 or found < 150)
