#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the figures rpc/64B/load/... of bench.json: how long requests take, over how many are sent a second.

    load.py BENCH.JSON --svg FILE

Both axes are logarithmic; the median is a full line, what 99 of 100 requests stay below a broken one. Nothing is written unless
there are two rates at least, each with both."""
import argparse
import math
import sys

from crossover import mark, named, text, write

KINDS = {"p50": ("median", ""), "p99": ("99 of 100", ' stroke-dasharray="7 5"')}
SYSTEMS = {"psyne": ("#0072B2", "circle"), "ZeroMQ ROUTER/DEALER": ("#D55E00", "square")}
WIDTH, HEIGHT = 860, 560
LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT = 92, 92, 730, 390


def fail(message):
    sys.exit("load.py: " + message)


def load(path):
    """{(system, kind): [(thousand a second, microseconds), ...]}, in the order of rates."""
    lines = {}
    for parts, row in named(path, fail):
        if parts[:3] != ["rpc", "64B", "load"] or len(parts) != 5:
            continue
        if parts[4] not in KINDS or not parts[3].isdigit() or int(parts[3]) == 0 or row.get("unit") != "us":
            fail(f"{path}: {row['name']} in {row.get('unit')} is no time at a rate")
        for system, value in ("psyne", row.get("value")), (row.get("peer"), row.get("peer_value")):
            if system is None or value is None:
                continue
            if system not in SYSTEMS or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                fail(f"{path}: {row['name']}: {system} took {value}")
            lines.setdefault((system, parts[4]), {})[int(parts[3])] = value
    for kind in KINDS:
        if len(lines.get(("psyne", kind), {})) < 2:
            fail(f"{path}: there are no two rates with {kind}; make bench BENCH=tests/perf/bench_load makes them")
    return {key: sorted(points.items()) for key, points in lines.items()}


def axis(values):
    """From the power of ten below all values to the one above."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)


def label(power):
    return f"{10 ** power:,}" if power >= 0 else f"{10.0 ** power:g}"


def draw(lines):
    (x_low, x_high), (y_low, y_high) = (axis([p[i] for points in lines.values() for p in points]) for i in (0, 1))

    def place(rate, took):
        return (
            LEFT + PANEL_WIDTH * (math.log10(rate) - x_low) / (x_high - x_low),
            TOP + PANEL_HEIGHT * (y_high - math.log10(took)) / (y_high - y_low),
        )

    bottom = TOP + PANEL_HEIGHT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"',
        "     font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"#1f2a37\">",
        "  <!-- SPDX-License-Identifier: Apache-2.0; written by tests/perf/load.py -->",
        "  <title>How long requests take at a given rate</title>",
        "  <desc>Microseconds from when a request of 64 bytes was due until its reply was there, over thousands of requests a second, for psyne and"
        " ZeroMQ: median and 99 of 100.</desc>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="14" fill="#fbfcfe" stroke="#c9d3de" stroke-width="2"/>',
        text(28, 36, "How long requests take at a given rate", "start", ' font-weight="bold" font-size="17"'),
        text(LEFT + PANEL_WIDTH / 2, bottom + 48, "thousand requests a second"),
        text(28, TOP + PANEL_HEIGHT / 2, "microseconds", more=f' transform="rotate(-90 28 {TOP + PANEL_HEIGHT / 2})"'),
    ]
    for power in range(x_low, x_high + 1):
        x = place(10.0**power, 1)[0]
        out += [f'<path d="M{x:.1f} {TOP}v{PANEL_HEIGHT}" stroke="#c9d3de"/>', text(x, bottom + 22, label(power))]
    for power in range(y_low, y_high + 1):
        y = place(1, 10.0**power)[1]
        out += [f'<path d="M{LEFT} {y:.1f}h{PANEL_WIDTH}" stroke="#c9d3de"/>', text(LEFT - 10, y + 5, label(power), "end")]
    out.append(f'<rect x="{LEFT}" y="{TOP}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="#51606f"/>')
    x = LEFT
    for system, (colour, kind_of_mark) in SYSTEMS.items():
        for kind, (name, dashes) in KINDS.items():
            if (system, kind) not in lines:
                continue
            points = [place(*p) for p in lines[system, kind]]
            path = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
            out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2"{dashes}/>')
            out += [mark(kind_of_mark, px, py, colour) for px, py in points]
            out += [f'<path d="M{x} 66h34" stroke="{colour}" stroke-width="2.2"{dashes}/>', mark(kind_of_mark, x + 17, 66, colour)]
            out.append(text(x + 42, 71, f"{system.split()[0]}, {name}", "start"))
            x += 180
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", metavar="BENCH.JSON")
    parser.add_argument("--svg", metavar="FILE", required=True)
    options = parser.parse_args()
    write(options.svg, draw(load(options.json)))


if __name__ == "__main__":
    main()
