#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# doc/language.md is true: every block marked `hrm` compiles without a word, blocks marked `hrm E0000` get that diagnostic and no
# other, its words and signs are the lexer's, and every function, operation of one element and type is on it.
set -u
export LC_ALL=C
source=${PSYNE_SOURCE:?} psynec=${PSYNE_BUILD:?}/compiler/psynec
page=$source/doc/language.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

number=0 failed=0
report() { # ok or "not ok", name
    number=$((number + 1))
    echo "$1 $number - $2"
    [ "$1" = ok ] || failed=$((failed + 1))
}

# ---- the blocks ----
awk '/^```hrm/ { n++; name = sprintf("block%02d.hrm", n); code = $2; open = 1; printf "%s %d %s\n", name, NR + 1, code > "list"; next }
     /^```/ { open = 0 }
     open { print > name }' "$page"
while read -r name line code; do
    "$psynec" -I "$source/examples/language" --emit bytecode -o out "$name" >said 2>&1
    status=$?
    codes=$(sed -n 's/.*\(error\|warning\)\[\([EW][0-9]*\)\].*/\2/p' said | sort -u | tr '\n' ' ' | sed 's/ $//')
    if [ -z "$code" ] && [ $status = 0 ] && [ ! -s said ]; then
        report ok "the block at line $line compiles"
    elif [ -n "$code" ] && [ $status = 1 ] && [ "$codes" = "$code" ]; then
        report ok "the block at line $line gets $code"
    else
        report 'not ok' "the block at line $line"
        sed 's/^/# /' said
    fi
done <list

# ---- the names: `name`, `name(x, ...)` or a word of a list in backquotes ----
tr '\n' ' ' <"$page" | grep -o '`[^`]*`' | tr -c 'A-Za-z0-9_' '\n' | sort -u >named
check_named() { # what, and names on stdin
    local name missing=
    while read -r name; do
        grep -qx "$name" named || missing="$missing $name"
    done
    if [ -z "$missing" ]; then report ok "$1"; else report 'not ok' "$1: the page lacks$missing"; fi
}
sed -n 's/^BUILTIN("\([a-z0-9_]*\)".*/\1/p' "$source/compiler/builtins.def" >functions
check_named 'every function' <functions
sed -n 's/^BUILTIN("[a-z0-9_]*", [0-9]*, [0-9]*, "\([a-z ]*\)".*/\1/p' "$source/compiler/builtins.def" | tr ' ' '\n' | grep . | sort -u >arguments
check_named 'every argument with a name' <arguments
sed -n 's/^OP([A-Z0-9]*, [0-9]*, "\([a-z0-9]*\)", MAP1,.*/\1/p' "$source/runtime/isa/ops.def" | grep -vx -e neg -e not >elementwise
check_named 'every operation of one element' <elementwise
sed -n 's/^DTYPE([A-Z0-9]*, [0-9]*, \([a-z0-9]*\).*/\1/p' "$source/runtime/include/psyne/dtypes.def" >types
[ "$(wc -l <types)" -ge 13 ] || report 'not ok' 'the types are not found in dtypes.def'
check_named 'every type' <types
sed -n 's/^ATTRIBUTE([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$source/compiler/attributes.def" >attributes
check_named 'every attribute' <attributes

# What the page calls a function is one.
sed -n '/^### Element by element/,/^## Functions/p' "$page" | sed '/^```/,/^```/d' | tr '\n' ' ' | grep -o '`[^`]*`' | grep -o '[a-z_0-9][a-z_0-9]*(' | tr -d '(' | sort -u |
    while read -r name; do
        grep -qx "$name" functions elementwise types -h || echo "$name"
    done >strange
case $(tr '\n' ' ' <strange) in
'') report ok 'no other functions' ;;
*) report 'not ok' "no functions of the language: $(tr '\n' ' ' <strange)" ;;
esac

# ---- words and signs are the lexer's ----
row() { sed -n "s/^| $1 | \(.*\) |\$/\1/p" "$page"; }
row 'reserved words' | tr -d '`' | tr ' ' '\n' | sort >words
sed -n 's/^"\([a-z]*\)" .*/\1/p' "$source/compiler/hrm_lex.l" | sort >words_lexed
if cmp -s words words_lexed; then report ok 'the reserved words'; else report 'not ok' "the reserved words: $(diff words words_lexed | tr '\n' ' ')"; fi
row signs | sed 's/`//g; s/\\|/|/g' | tr ' ' '\n' | sort >signs
{
    sed -n 's/^"\([^a-z"/ ][^"a-z]*\)" *{ return .*/\1/p' "$source/compiler/hrm_lex.l"
    sed -n 's/^\[\([;:,.@=].*\)\] *{ return yytext.*/\1/p' "$source/compiler/hrm_lex.l" | sed 's/\\//g' | grep -o .
    printf '%s\n' '(' ')' '[' ']' '{' '}'
} | sort >signs_lexed
if cmp -s signs signs_lexed; then report ok 'the signs'; else report 'not ok' "the signs: $(diff signs signs_lexed | tr '\n' ' ')"; fi

# ---- the grammar names what it uses, and uses what it names ----
sed -n '/^## Grammar/,/^## /p' "$page" | sed -n '/^```/,/^```/p' | grep -v '```' >grammar
sed -n 's/^\([a-z]*\) *=.*/\1/p' grammar | sort >rules
sed 's/"[^"]*"//g' grammar | grep -o '[a-z]\{2,\}' | sort | uniq -c | awk '$1 == 1 { print $2 }' >once
strange=$(comm -12 rules once | grep -vx file)
unknown=$(sed 's/"[^"]*"//g' grammar | grep -o '[a-z]\{2,\}' | sort -u | grep -vxFf rules | grep -vx -e name -e text -e number)
if [ -z "$strange$unknown" ]; then report ok 'the grammar is whole'; else report 'not ok' "the grammar: never used: $strange; not said: $unknown"; fi

echo "1..$number"
[ $failed = 0 ]
