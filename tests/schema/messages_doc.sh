#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program of doc/messages.md compiles against its schema and does what it seems to.
set -eu
work=$(mktemp -d)
library="${PSYNE_SANITIZE_CFLAGS-} $PSYNE_BUILD/runtime/.libs/libpsyne-core.a -lm -pthread"
trap 'rm -rf "$work"' EXIT
block() { awk -v fence='```'"$1" '$0 == fence { on = 1; next } $0 == "```" { on = 0 } on' "$PSYNE_SOURCE/doc/messages.md"; }
block psy >"$work/shop.psy"
block c >"$work/shop.c"
"$PSYNE_BUILD/compiler/psynec" "$work/shop.psy" -o "$work"
$PSYNE_CC -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$PSYNE_SOURCE/runtime/include" -I"$work" "$work/shop.c" -o "$work/shop" $library
said=$("$work/shop")
block 'psy orders.psy' >"$work/orders.psy"
"$PSYNE_BUILD/compiler/psynec" "$work/orders.psy" -o "$work"
printf '#include "orders.psy.h"\nint main(void) { static orders_line m; return shop_item_stars_count(orders_line_item(orders_line_init(&m))) != 0 || ORDERS_WIDE != 32; }\n' >"$work/orders.c"
$PSYNE_CC -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$PSYNE_SOURCE/runtime/include" -I"$work" "$work/orders.c" -o "$work/orders"
"$work/orders"
[ "$said" = '5 star, 0.5' ] || { echo "the program says: $said" && exit 1; }
