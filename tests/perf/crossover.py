#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the figures ring/crossover/... of bench.json, and writes them as a table into a page.

    crossover.py BENCH.JSON [--svg FILE] [--page FILE]

--svg writes the plot: by how much a ring for each producer is quicker than one ring for all, over the size of messages. --page
replaces what stands between the two marks in that page by the table. Without either the table is printed. Nothing is written
unless all figures are there."""
import argparse
import json
import math
import os
import sys

SIZES = {"8B": 8, "64B": 64, "256B": 256, "1KiB": 1024, "4KiB": 4096}
PRODUCERS = (1, 2, 4, 8)
BATCHES = {"one": "one message a call", "batch32": "32 messages a call"}
PEERS = ("MPSC", "MPMC")
BEGIN, END = "<!-- begin ring/crossover: make bench-plot writes this -->", "<!-- end ring/crossover -->"

# Colours that stay apart for all kinds of eyes (Okabe and Ito), and a mark for each beside.
LINES = {1: ("#0072B2", "circle"), 2: ("#D55E00", "square"), 4: ("#009E73", "triangle"), 8: ("#8F4A77", "diamond")}


def fail(text):
    sys.exit("crossover.py: " + text)


def named(path, fail):
    """Every figure of a bench.json, with the parts of its name."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    return [(str(row.get("name", "")).split("/"), row) for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict)]


def load(path):
    """{(size, producers, batch): {"each": M/s, "MPSC": M/s, "MPMC": M/s}}, all of them."""
    figures = {}
    for parts, row in named(path, fail):
        if parts[:2] != ["ring", "crossover"] or len(parts) != 5:
            continue
        values = row.get("value"), row.get("peer_value")
        if not all(isinstance(v, (int, float)) and v > 0 and math.isfinite(v) for v in values):
            fail(f"{path}: {row['name']} against {row.get('peer')} has no figures: {values[0]} and {values[1]}")
        if row.get("unit") != "M/s":
            fail(f"{path}: {row['name']} is in {row.get('unit')}, not M/s")
        figure = figures.setdefault((parts[2], parts[3], parts[4]), {})
        figure["each"], figure[row.get("peer")] = values
    wanted = {(s, f"p{n}", b) for s in SIZES for n in PRODUCERS for b in BATCHES}
    missing = [f"ring/crossover/{'/'.join(key)} {name}" for key in sorted(wanted) for name in PEERS if name not in figures.get(key, {})]
    if missing:
        fail(f"{path}: {len(missing)} figures are missing, the first is {missing[0]}; make bench BENCH=tests/perf/bench_crossover makes them")
    return {(s, int(n[1:]), b): figures[s, n, b] for s, n, b in wanted}


def number(value):
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}" if value < 9.95 else f"{value:.3g}"


def table(figures):
    lines = [
        "Million messages a second: a ring for each producer · one MPSC ring · one MPMC ring; the most is bold.",
        "",
        "| message | a call | " + " | ".join(f"{n} producer{'s' * (n > 1)}" for n in PRODUCERS) + " |",
        "|---|---|" + "---|" * len(PRODUCERS),
    ]
    for batch in BATCHES:
        for size in SIZES:
            cells = []
            for n in PRODUCERS:
                values = [figures[size, n, batch][name] for name in ("each", *PEERS)]
                cells.append(" · ".join(f"**{number(v)}**" if v == max(values) else number(v) for v in values))
            lines.append(f"| {size.replace('B', ' B').replace('Ki B', ' KiB')} | {'1' if batch == 'one' else '32'} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write(path, text):
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        fail(f"{path}: {error}")


def page(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            before = file.read()
    except OSError as error:
        fail(f"{path}: {error}")
    if before.count(BEGIN) != 1 or before.count(END) != 1 or before.index(BEGIN) > before.index(END):
        fail(f"{path}: the marks are not there: {BEGIN} and {END}")
    head, rest = before.split(BEGIN)
    return head + BEGIN + "\n" + text + END + rest.split(END)[1]


# ---- the plot ----

WIDTH, HEIGHT = 1040, 760
PANEL_WIDTH, PANEL_HEIGHT = 405, 250
LEFT, TOP, STEP_X, STEP_Y = 96, 118, 490, 310


def mark(kind, x, y, colour):
    shapes = {
        "square": "M-4.5 -4.5h9v9h-9z",
        "triangle": "M0 -5.5L5.5 4.5H-5.5z",
        "diamond": "M0 -6L6 0L0 6L-6 0z",
        "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    }
    return f'<path transform="translate({x:.1f} {y:.1f})" d="{shapes[kind]}" fill="{colour}" stroke="#ffffff" stroke-width="1"/>'


def text(x, y, what, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{what}</text>'


def tick_label(power):
    return f"{2 ** power}×" if power >= 0 else f"1/{2 ** -power}×"


def panel(figures, batch, peer, left, top, low, high, step):
    """One panel: the ratio of a ring each to `peer`, as powers of two from `low` to `high`."""
    names = list(SIZES)
    across = [left + 32 + i * (PANEL_WIDTH - 64) / (len(names) - 1) for i in range(len(names))]

    def height(ratio):
        return top + PANEL_HEIGHT * (high - math.log2(ratio)) / (high - low)

    bottom, level = top + PANEL_HEIGHT, height(1)
    out = [
        f'<rect x="{left}" y="{top}" width="{PANEL_WIDTH}" height="{level - top:.1f}" fill="#eef4fa"/>',
        f'<rect x="{left}" y="{level:.1f}" width="{PANEL_WIDTH}" height="{bottom - level:.1f}" fill="#f7f1e6"/>',
        text(left, top - 10, f"{BATCHES[batch]}, against one {peer} ring", "start", ' font-weight="bold"'),
    ]
    for power in range(low, high + 1):
        if power % step == 0:
            y = height(2.0**power)
            out.append(f'<path d="M{left} {y:.1f}h{PANEL_WIDTH}" stroke="{"#1f2a37" if power == 0 else "#c9d3de"}" stroke-width="1"/>')
            out.append(text(left - 8, y + 5, tick_label(power), "end"))
    for x, name in zip(across, names):
        out.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#51606f"/>')
        out.append(text(x, bottom + 20, f"{SIZES[name]:,}"))
    out.append(f'<rect x="{left}" y="{top}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="#51606f"/>')
    out.append(text(left + PANEL_WIDTH - 8, top + 18, "a ring each is quicker", "end", ' font-size="13" fill="#51606f"'))
    out.append(text(left + PANEL_WIDTH - 8, bottom - 8, "one ring for all is quicker", "end", ' font-size="13" fill="#51606f"'))
    for n, (colour, kind) in LINES.items():
        points = [(x, height(figures[name, n, batch]["each"] / figures[name, n, batch][peer])) for x, name in zip(across, names)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
        out += [mark(kind, x, y, colour) for x, y in points]
    return out


def draw(figures):
    ratios = [math.log2(f["each"] / f[peer]) for f in figures.values() for peer in PEERS]
    low, high = min(-1, math.floor(min(ratios) - 0.3)), max(1, math.ceil(max(ratios) + 0.3))
    step = max(1, math.ceil((high - low) / 7))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"',
        "     font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"#1f2a37\">",
        "  <!-- SPDX-License-Identifier: Apache-2.0; written by tests/perf/crossover.py -->",
        "  <title>When a ring for each producer, when one for all</title>",
        "  <desc>Four panels: one message and 32 messages a call, against an MPSC and an MPMC ring. Over the size of messages, for 1, 2, 4 and 8"
        " producers: how many times as many messages a second come through an SPSC ring for each as through the ring for all.</desc>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="14" fill="#fbfcfe" stroke="#c9d3de" stroke-width="2"/>',
        text(28, 36, "An SPSC ring for each producer, against one ring for all", "start", ' font-weight="bold" font-size="17"'),
        text(28, 66, "producers:", "start"),
    ]
    for i, (n, (colour, kind)) in enumerate(LINES.items()):
        x = 112 + i * 84
        out += [f'<path d="M{x} 61h34" stroke="{colour}" stroke-width="2.2"/>', mark(kind, x + 17, 61, colour), text(x + 42, 66, str(n), "start")]
    for column, batch in enumerate(BATCHES):
        for row, peer in enumerate(PEERS):
            out += panel(figures, batch, peer, LEFT + column * STEP_X, TOP + row * STEP_Y, low, high, step)
        out.append(text(LEFT + column * STEP_X + PANEL_WIDTH / 2, TOP + STEP_Y + PANEL_HEIGHT + 46, "bytes of a message"))
    middle = TOP + (STEP_Y + PANEL_HEIGHT) / 2
    out.append(text(30, middle, "messages a second: a ring each ÷ one for all", more=f' transform="rotate(-90 30 {middle})"'))
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", metavar="BENCH.JSON")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--page", metavar="FILE")
    options = parser.parse_args()
    figures = load(options.json)
    new_page = page(options.page, table(figures)) if options.page else None
    if options.svg:
        write(options.svg, draw(figures))
    if options.page:
        write(options.page, new_page)
    if not options.svg and not options.page:
        sys.stdout.write(table(figures))


if __name__ == "__main__":
    main()
