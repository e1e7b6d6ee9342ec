# SPDX-License-Identifier: Apache-2.0
"""Random types, laid out here by the rules of doc/messages.md and by psynec: every offset, size and hash must agree.

    layout_rules.py PSYNEC FOLDER [SEED]
"""
import json
import os
import random
import subprocess
import sys

SIZES = {"bool": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "u8": 1, "u16": 2, "u32": 4, "u64": 8, "f16": 2, "bf16": 2, "f32": 4, "f64": 8}
WHOLE = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"]


def up(at, to):
    return -(-at // to) * to


def siphash(text):
    """SipHash-2-4 under a key of zeros."""
    mask = (1 << 64) - 1
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]

    def left(x, by):
        return (x << by | x >> (64 - by)) & mask

    def rounds(n):
        for _ in range(n):
            v[0], v[2] = (v[0] + v[1]) & mask, (v[2] + v[3]) & mask
            v[1], v[3] = left(v[1], 13) ^ v[0], left(v[3], 16) ^ v[2]
            v[0], v[2] = left(v[0], 32), (v[2] + v[1]) & mask
            v[0], v[1] = (v[0] + v[3]) & mask, left(v[1], 17) ^ v[2]
            v[3], v[2] = left(v[3], 21) ^ v[0], left(v[2], 32)

    data = text.encode()
    data += bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(data), 8):
        word = int.from_bytes(data[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# ---- what is made: a type is {kind, name, fields, dtype}, a field {name, form, of, n, m, align, since, inside} ----


def dtype(r):
    return r.choice(list(SIZES))


def field(r, kind, types, depth, path):
    """A field that may stand in such a type; `of` is a dtype or a type."""
    structs = [t for t in types if t["kind"] == "struct"]
    items = structs + [t for t in types if t["kind"] == "type"]
    named = [t for t in types if t["kind"] in ("enum", "flags")]
    f = {"name": path, "align": r.choice([2, 4, 8, 16, 32, 64]) if r.random() < 0.1 else 1, "since": 1, "n": r.randint(1, r.choice([3, 40])), "m": r.randint(1, 9)}
    f["of"] = r.choice(named) if named and r.random() < 0.3 else dtype(r)
    forms = ["scalar", "array"]
    if kind == "struct":
        forms += ["items array"] * bool(structs) + ["struct"] * (depth < 3)
    else:
        forms += ["bounded", "tail", "text", "texts", "bounded texts", "string", "strings", "variant", "open"]
        forms += ["items array", "items bounded", "items tail"] * bool(items)
        forms += (["struct"] + ["part"] * (kind != "inside a struct")) * (depth < 3)
        if kind != "union":
            unions = [t for t in types if t["kind"] == "union"]
            forms += ["optional", "optional array", "optional text", "optional string"] + ["optional items"] * bool(items) + ["union"] * bool(unions)
    f["form"] = r.choice(forms)
    if "items" in f["form"]:
        f["of"] = r.choice(structs if kind == "struct" else items)
        f["n"] = r.randint(1, 4)
    if f["form"] == "union":
        f["of"] = r.choice(unions)
    if f["form"] in ("struct", "part"):
        inner = "struct" if f["form"] == "struct" else "type"
        f["inside"] = fields(r, inner, types, depth + 1, path + ".", f["form"] == "struct")
    return f


def fields(r, kind, types, depth, path, some):
    out = [field(r, kind, types, depth, path + "f%d" % i) for i in range(r.randint(int(some), r.choice([1, 3, 6])))]
    since = 1
    for f in out:
        since += kind in ("type", "union") and r.random() < 0.1
        f["since"] = since
    return out


def make(r, index, types):
    kind = r.choice(["enum", "flags", "struct", "struct", "union", "type", "type", "type"])
    t = {"kind": kind, "name": "r.T%d" % index}
    if kind in ("enum", "flags"):
        t["dtype"] = r.choice(WHOLE)
        t["values"] = r.sample(range(100), r.randint(1, 5))
    else:
        t["fields"] = fields(r, kind, types, 0, "", kind != "type")
    return t


def deep(t, inside=None):
    """How many types lie in each other below this one."""
    most = 0
    for f in t.get("fields", []) if inside is None else inside:
        if f["form"] in ("struct", "part"):
            most = max(most, 1 + deep(t, f["inside"]))
        elif isinstance(f["of"], dict) and f["of"]["kind"] not in ("enum", "flags"):
            most = max(most, 1 + deep(f["of"]))
    return most


# ---- as assembly ----


def written(f, element):
    n, m = f["n"], f["m"]
    return {
        "scalar": element,
        "array": f"{element}[{n}]",
        "bounded": f"{element}[<={n}]",
        "tail": f"{element}[]",
        "optional": f"{element}?",
        "optional array": f"{element}[{n}]?",
        "items array": f"{element}[{n}]",
        "items bounded": f"{element}[<={n}]",
        "items tail": f"{element}[]",
        "optional items": f"{element}?",
        "text": f"string[<={n}]",
        "optional text": f"string[<={n}]?",
        "texts": f"string[<={n}][{m}]",
        "bounded texts": f"string[<={n}][<={m}]",
        "string": "string",
        "optional string": "string?",
        "strings": "string[]",
        "variant": f"variant[<={n}]",
        "open": "variant",
        "union": element,
        "struct": "struct",
        "part": "part",
    }[f["form"]]


def field_text(f, indent):
    element = f["of"] if isinstance(f["of"], str) else f["of"]["name"]
    text = " " * indent + f["name"] + ": " + written(f, element)
    text += f" @align({f['align']})" if f["align"] > 1 else ""
    text += f" @since({f['since']})" if f["since"] > 1 else ""
    if "inside" in f:
        return text + " {\n" + "".join(field_text(g, indent + 4) for g in f["inside"]) + " " * indent + "}\n"
    return text + ";\n"


def type_text(t):
    if "dtype" in t:
        return f"\n{t['kind']} {t['name']}: {t['dtype']} {{\n" + "".join(f"    v{x} = {x};\n" for x in t["values"]) + "}\n"
    return f"\n{t['kind']} {t['name']} {{\n" + "".join(field_text(f, 4) for f in t["fields"]) + "}\n"


# ---- laid out ----


def place(f, at, out):
    """Where it lies when what is before ends at `at`: (where it ends, its alignment). What is found goes to `out`."""
    of, form, n, m = f["of"], f["form"], f["n"], f["m"]
    number = isinstance(of, str) or of["kind"] in ("enum", "flags")
    size = (SIZES[of] if isinstance(of, str) else of["bytes"]) if form != "union" else of["bytes"]
    natural = (SIZES[of] if isinstance(of, str) else of["align"])
    own = {"name": f["name"], "kind": form.split()[0], "since": f["since"]}
    own.update(type=None if isinstance(of, str) else of["name"], count=None, lengths=None, tailed=not number and of["tailed"])
    out.append(own)
    lead = 1
    if form in ("struct", "part"):
        return place_inside(f, at, own, out)
    if form in ("text", "texts", "bounded texts", "optional text", "string", "strings", "optional string", "variant", "open"):
        natural, size, own["type"], own["tailed"] = 1, 1, None, False
    if form in ("bounded", "items bounded", "text", "bounded texts"):
        own["count"] = at = up(at, 4)
        at, lead = at + 4, 4
    if form.startswith("optional") and form != "optional string" or form == "union":
        own["count"] = at
        at += 1
    if form in ("texts", "bounded texts", "optional text"):
        own["lengths"] = at = up(at, 4)
        at, lead = at + 4 * (1 if form == "optional text" else m), 4
    if form in ("variant", "open"):
        own["count"] = at = up(at, 4)
        at, lead = at + 36, 4
        natural = 64 if form == "variant" else 4
    count = {"scalar": 1, "optional": 1, "union": 1, "optional items": 1, "texts": n * m, "bounded texts": n * m}.get(form, n)
    total = size * count
    several = form not in ("scalar", "optional", "union", "optional items", "open", "variant")
    align = max(64 if several and total >= 64 else natural, f["align"])
    if form in ("tail", "items tail", "string", "strings", "optional string"):
        align, total, own["tailed"] = 4, 8, True
    if form == "open":
        align, total, own["tailed"] = 4, 4, True
    own["offset"] = at = up(at, align)
    element = f"{of['kind'].replace('type', 'message')} {of['hash']:016x}" if not number else of if isinstance(of, str) else of["dtype"]
    own["text"] = written(f, element)
    return at + total, max(align, lead)


def place_inside(f, at, own, out):
    """A part is at a multiple of 64, a struct at the largest alignment in it."""
    part, inner = f["form"] == "part", []
    _, natural = place_all(f["inside"], 0, inner)
    natural = 64 if part else natural
    align = max(natural, f["align"])
    at, inner = up(at, align), []
    end, _ = place_all(f["inside"], at + 8 * part, inner)
    end = up(end, natural)
    own.update(offset=at, type=None, tailed=any(g["tailed"] for g in inner), text=f"{f['form']} {end - at}")
    out += inner
    return end, align


def place_all(inside, at, out):
    most = 1
    for f in inside:
        at, align = place(f, at, out)
        most = max(most, align)
    return at, most


def lay_out(t):
    out, kind = [], t["kind"]
    if "dtype" in t:
        t.update(bytes=SIZES[t["dtype"]], align=SIZES[t["dtype"]], tailed=False, version=1)
        out = [{"name": f"v{x}", "offset": 0, "count": None, "lengths": None, "text": t["dtype"]} for x in t["values"]]
    else:
        at, align = (8, 1) if kind == "type" else (0, 1)
        ends = [at]
        for f in t["fields"]:
            at, need = place(f, 0 if kind == "union" else at, out)
            ends, align = ends + [at], max(align, need)
        align = 64 if kind == "type" else align
        t.update(align=align, bytes=up(max(ends), align), tailed=any(f["tailed"] for f in out), version=max([1] + [f["since"] for f in t["fields"]]))
    text = "" if kind == "type" else kind + " "
    text += t["name"] + "{"
    for f in out:
        text += f"{f['text']} {f['name']}@{f['offset']}"
        text += "" if f["count"] is None else f"/{f['count']}"
        text += "" if f["lengths"] is None else f"//{f['lengths']}" if f["count"] is None else f"/{f['lengths']}"
        text += ";"
    t["placed"] = out
    t["hash"] = siphash(text + "}%d" % t["bytes"])


def compare(t, said):
    wanted = {"bytes": t["bytes"], "version": t["version"], "layout_hash": "%016x" % t["hash"], "tailed": t["tailed"]}
    wanted.update({} if t["kind"] == "type" else {"align": t["align"]})
    found = {key: said.get(key, False) for key in wanted}
    for mine, theirs in zip(t["placed"], said["fields"], strict=True):
        for key, name in (("name", "name"), ("offset", "offset"), ("count", "count_offset"), ("lengths", "inner_offset")):
            if mine[key] != theirs.get(name):
                return f"{t['name']}.{mine['name']}: {name} {theirs.get(name)}, and by the rules {mine[key]}"
    return None if wanted == found else f"{t['name']}: {found}, and by the rules {wanted}"


def main():
    psynec, folder, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
    assert siphash("") == 0x1E924B9D737700D7  # what other implementations give
    compared = 0
    for number in range(60):
        r, types = random.Random(seed * 1000 + number), []
        while len(types) < 40:
            t = make(r, len(types), types)
            if deep(t) > 8:
                continue
            lay_out(t)
            if t["bytes"] < 1 << 26:
                types.append(t)
        text = "module 3.0;\n" + "".join(type_text(t) for t in types)
        path = os.path.join(folder, "types.hra")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        for kind in ("json", "asm"):
            done = subprocess.run([psynec, "--emit", kind, "-o", os.path.join(folder, "made"), path], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"seed {seed}, file {number}: {done.stderr}")
        with open(os.path.join(folder, "made", "types.hra"), encoding="utf-8") as file:
            if file.read() != text:
                sys.exit(f"seed {seed}, file {number}: the text comes back as another")
        with open(os.path.join(folder, "made", "types.json"), encoding="utf-8") as file:
            said = json.load(file)["types"]
        for mine, theirs in zip(types, said, strict=True):
            wrong = compare(mine, theirs)
            if wrong:
                sys.exit(f"seed {seed}, file {number}: {wrong}\n{type_text(mine)}")
            compared += len(mine["placed"])
    print(compared, "fields are where the rules say")


main()
