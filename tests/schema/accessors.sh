#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What getters and setters of one number compile to at -O2, of every type there is: one load or one store, and the return. A bool is 0 or
# 1 whatever the byte, and a count never above its bound, so these take a few instructions more; nothing calls, nothing branches. An
# accessor that is worse is planted, to see that it is found.
. "$(dirname "$0")/../compiler/shell.sh"
quietly() { "$@" >err 2>&1; }

# A message with a field of every type, twice, so that not only the first offset is looked at; and an array with a bound.
types=$(sed -n 's/^DTYPE([A-Z0-9]*, [0-9]*, \([a-z0-9]*\),.*, \([a-z0-9_]*\), [A-Z]*, [01])$/\1:\2/p' "$source/runtime/include/psyne/dtypes.def")
{
    echo 'namespace one; message Each {'
    for type in $types; do
        echo "    a_${type%:*}: ${type%:*}; b_${type%:*}: ${type%:*};"
    done
    echo '    list: f32[<=5];'
    echo '}'
} >one.psy
run one.psy -o gen
ok 'the message of all types' is "$status" 0
{
    echo '#include "one.psy.h"'
    echo '#define GET(name, type) type get_##name(const one_each *m); type get_##name(const one_each *m) { return one_each_##name(m); }'
    echo '#define SET(name, type) void set_##name(one_each *m, type v); void set_##name(one_each *m, type v) { one_each_set_##name(m, v); }'
    for type in $types; do
        ctype=${type#*:}
        [ "${type%:*}" != bool ] || ctype=bool
        for name in a_${type%:*} b_${type%:*}; do
            echo "GET($name, $ctype) SET($name, $ctype)"
        done
    done
    echo 'GET(list_count, uint32_t) SET(list_count, uint32_t)'
} >access.c
wanted=$(($(echo "$types" | wc -w) * 4 + 2))

# Per function: its name, instructions, those that touch the message, and calls or branches. The message is where the first argument is.
count() { # object
    objdump -d --no-show-raw-insn "$1" | awk -v machine="$machine" '
        /^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3); all[name] = 0; next }
        /^ / && name {
            line = $0
            sub(/^[^\t]*\t/, "", line)
            if (line ~ /^(nop|xchg +%ax,%ax|cs |data16|endbr64|bti)/)
                next
            all[name]++
            if (machine == "x86-64" ? line ~ /\(%rdi\)/ : line ~ /\[x0(, #[0-9a-fx]+)?\]/)
                memory[name]++
            else if (machine == "x86-64" ? line ~ /\(%/ && line !~ /^lea/ : line ~ /\[/)
                elsewhere[name]++
            if (machine == "x86-64" ? line ~ /^(call|j)/ : line ~ /^(b|bl|blr|br|b\.[a-z]+|cbz|cbnz|tbz|tbnz)[ \t]/)
                jumps[name]++
        }
        END { for (n in all) print n, all[n], memory[n] + 0, jumps[n] + 0, elsewhere[n] + 0 }' | sort
}
# Fails where one of them does more than it needs, or where not all are there.
judge() { # counts
    awk -v wanted="$wanted" '
        { seen++
          most = $1 ~ /_count$/ ? 6 : $1 ~ /^get_._bool$/ ? 4 : $1 ~ /^set_._bool$/ ? 3 : 2
          if ($2 > most || $3 != 1 || $4 != 0 || $5 != 0) { print $1 ": " $2 " instructions, " $3 " of them on the message, " $4 " jumps"; bad = 1 } }
        END { if (seen != wanted) print seen " functions of " wanted; exit bad || seen != wanted }' "$1"
}

compile() { # source, object
    # shellcheck disable=SC2086
    quietly $PSYNE_CC -std=c11 -O2 $unprotected -Wall -Wextra -Wconversion -Werror -I"$source/runtime/include" -Igen -c "$1" -o "$2"
}
unprotected=
for flag in -fcf-protection=none -fno-stack-protector; do
    ! $PSYNE_CC $flag -Werror -x c -c /dev/null -o flag.o 2>/dev/null || unprotected="$unprotected $flag"
done

ok 'the accessors' compile access.c access.o
case $(objdump -f access.o 2>/dev/null) in
*elf64-x86-64*) machine=x86-64 ;;
*elf64-littleaarch64*) machine=aarch64 ;;
*) machine= ;;
esac
if ! command -v objdump >/dev/null; then
    skip 'accessors are single loads and stores' 'there is no objdump'
elif [ -z "$machine" ]; then
    skip 'accessors are single loads and stores' 'this test reads x86-64 and aarch64 only'
else
    count access.o >counts
    ok 'accessors are single loads and stores' quietly judge counts

    # Worse in one way each: loads more, looks first, calls, and is not there.
    while IFS='|' read -r what from to; do
        awk -v from="$from" -v to="$to" '{ at = index($0, from); if (at) $0 = substr($0, 1, at - 1) to substr($0, at + length(from)); print }' \
            gen/one.psy.h >worse.h
        mkdir -p worse && mv worse.h worse/one.psy.h
        cmp -s worse/one.psy.h gen/one.psy.h && echo "nothing to plant: $from" >err && ok "planted: $what" false
        # shellcheck disable=SC2086
        $PSYNE_CC -std=c11 -O2 $unprotected -I"$source/runtime/include" -Iworse -c access.c -o worse.o 2>err
        count worse.o >counts.worse
        ok "planted: $what" eval '! judge counts.worse >out && grep -q "^[gs]et_" out && [ "$(grep -c . out)" = 1 ]'
    done <<'END'
a getter that loads twice|one_each_b_u32(const one_each *m) { return m->b_u32; }|one_each_b_u32(const one_each *m) { return m->b_u32 + m->a_u32; }
a getter that looks first|one_each_a_f32(const one_each *m) { return m->a_f32; }|one_each_a_f32(const one_each *m) { return m->header.version >= 1 ? m->a_f32 : 0; }
a setter that stores twice|one_each_set_b_i64(one_each *m, int64_t value) { m->b_i64 = value; }|one_each_set_b_i64(one_each *m, int64_t value) { m->b_i64 = value; m->header.reserved = 0; }
a setter that writes elsewhere too|one_each_set_a_f64(one_each *m, double value) { m->a_f64 = value; }|one_each_set_a_f64(one_each *m, double value) { extern double kept; kept = value; m->a_f64 = value; }
a getter that calls|one_each_a_f64(const one_each *m) { return m->a_f64; }|one_each_a_f64(const one_each *m) { extern void look(const void *); look(m); return m->a_f64; }
END
    ok 'none may be missing' eval 'head -n 20 counts >counts.few && ! judge counts.few >out && prints "functions of"'
fi
finish
