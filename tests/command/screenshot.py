#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A screen with its colours as a picture (SVG): screenshot.py TITLE <TEXT >FILE, where TEXT is what `tmux capture-pane -e -p` gives.

    tmux new-session -d -x 120 -y 32 'psyne top'; sleep 30; tmux capture-pane -e -p | screenshot.py 'psyne top' >doc/images/psyne-top.svg
"""
import re, sys, unicodedata
from xml.sax.saxutils import escape

WIDTH, HEIGHT, PAD = 8.4, 18, 14
BACK, FORE = "#10161f", "#d7dee8"
PALETTE = ["#10161f", "#ff6b6b", "#5fd38d", "#e8b84a", "#6aa9ff", "#c792ea", "#5ccfe6", "#d7dee8"]


def rows(text):
    """Of each row: its pieces of one style: column, text, colour, background, weight, faint, underlined."""
    style = {}
    for line in text.split("\n"):
        pieces, column = [], 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b["):
                for n in [int(n or 0) for n in part[2:-1].split(";")]:
                    if n == 0:
                        style = {}
                    elif n in (1, 2, 4, 7):
                        style[n] = True
                    elif n == 22:
                        style.pop(1, None), style.pop(2, None)
                    elif n == 39:
                        style.pop("colour", None)
                    elif 30 <= n <= 37:
                        style["colour"] = n - 30
            elif part:
                pieces.append((column, part, dict(style)))
                column += sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in part)
        yield pieces, column


def main():
    title, text = sys.argv[1], sys.stdin.read().rstrip("\n")
    all_rows = list(rows(text))
    columns = max(n for _, n in all_rows)
    width, height = columns * WIDTH + 2 * PAD, len(all_rows) * HEIGHT + 2 * PAD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img"',
           "     font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">",
           "  <!-- SPDX-License-Identifier: Apache-2.0; written by tests/command/screenshot.py -->",
           f"<title>{escape(title)}</title>",
           f'<rect width="{width:.0f}" height="{height:.0f}" rx="10" fill="{BACK}"/>']
    for row, (pieces, _) in enumerate(all_rows):
        for column, piece, style in pieces:
            x, y = PAD + column * WIDTH, PAD + row * HEIGHT
            fore = PALETTE[style["colour"]] if "colour" in style else FORE
            if style.get(7):
                out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{len(piece) * WIDTH:.1f}" height="{HEIGHT}" fill="{fore}"/>')
                fore = BACK
            if not piece.strip():
                continue
            more = ' font-weight="bold"' if style.get(1) else ""
            more += ' opacity="0.55"' if style.get(2) else ""
            more += ' text-decoration="underline"' if style.get(4) else ""
            # Every piece is as wide as its columns, whatever font there is.
            start = len(piece) - len(piece.lstrip(" "))
            body = piece.strip(" ")
            out.append(f'<text x="{x + start * WIDTH:.1f}" y="{y + 14:.1f}" textLength="{len(body) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs" '
                       f'xml:space="preserve" fill="{fore}"{more}>{escape(body)}</text>')
    print("\n".join(out) + "\n</svg>")


main()
