#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs of doc/messages.md compile against its schema and do what they seem to, and the picture of a tail shows what one builds.
. "$(dirname "$0")/../compiler/shell.sh"
page=$source/doc/messages.md
flags="-Wall -Wextra -Wpedantic -Wconversion -Werror -I$source/runtime/include -Igen"
quietly() { "$@" >err 2>&1; }
block() { # fence, which of those
    awk -v fence='```'"$1" -v wanted="$2" '$0 == fence { on = ++seen == wanted; next } $0 == "```" { on = 0 } on' "$page"
}

block psy 1 >shop.psy
block 'psy orders.psy' 1 >orders.psy
run shop.psy orders.psy -o gen
ok 'the schemas' is "$status" 0
block c 1 >item.c
block c 2 >review.c
for program in item review; do
    # shellcheck disable=SC2086
    ok "the program $program" quietly $PSYNE_CC -std=c11 $flags $program.c -o $program $library
done
ok 'what the first one says' is "$(./item)" '5 star, 0.5'
ok 'what the second one says' is "$(./review)" 'Tea: 2 of 2, 2 tags, 192 bytes'

# The bytes of the second one's message, as the picture has them.
sed 's/return 0;/fwrite(memory, 1, size, stdout); return 0;/; /printf/,/;$/d' review.c >bytes.c
# shellcheck disable=SC2086
ok 'its bytes' quietly $PSYNE_CC -std=c11 -I"$source/runtime/include" -Igen bytes.c -o bytes $library
./bytes >message
at() { echo $(od -An -t "$1" -j "$2" -N "$3" message); }
ok 'header' is "$(at u4 0 4) $(at u2 4 4)" '192 2 0'
ok 'title' is "$(at u4 16 8)" '128 3'
ok 'numbers' is "$(at u4 64 8)" '132 2'
ok 'tags' is "$(at u4 72 8)" '140 2'
ok 'nothing' is "$(at u4 80 8) $(at u1 88 1) $(at u4 116 8)" '0 0 0 0 0'
ok 'the tail' is "$(at c 128 3) $(at f4 132 8) $(at u4 140 16) $(at c 156 3)" 'T e a 1 2 156 3 0 0 h o t'
ok 'and zeros' is "$(at u1 131 1)$(od -v -An -t u1 -j 159 -N 33 message | tr -d ' 0\n')" '0'

printf '#include "orders.psy.h"\nint main(void) { static orders_line m; return shop_item_stars_count(orders_line_item(orders_line_init(&m))) != 0 || ORDERS_WIDE != 32; }\n' >orders.c
# shellcheck disable=SC2086
ok 'a program with imports' quietly $PSYNE_CC -std=c11 $flags orders.c -o orders
ok 'runs' quietly ./orders
finish
