#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The editor files know every word of the languages, and are what editors can read.
set -u
export LC_ALL=C
source=${PSYNE_SOURCE:?} client=${PSYNE_BUILD:?}/tests/lsp/session
vim=$source/doc/editors/vim code=$source/doc/editors/vscode
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number=0 failed=0
report() { # ok or "not ok", name
    number=$((number + 1))
    echo "$1 $number - $2"
    [ "$1" = ok ] || failed=$((failed + 1))
}
skip() { # name, why
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

# ---- words ----
reserved() { sed -n 's/^"\([a-z]*\)" .*/\1/p' "$source/compiler/$1_lex.l"; }
types() { sed -n 's/^DTYPE([A-Z0-9]*, [0-9]*, \([a-z0-9]*\),.*/\1/p' "$source/runtime/include/psyne/dtypes.def"; }
# In programs `-` and `!` stand for two of the operations.
functions() {
    sed -n 's/^BUILTIN("\([a-z0-9_]*\)".*/\1/p' "$source/compiler/builtins.def"
    sed -n 's/^OP([A-Z0-9]*, [0-9]*, "\([a-z0-9]*\)", MAP1,.*/\1/p' "$source/runtime/isa/ops.def" | grep -vxE 'neg|not'
}
# What stands behind an @ in schemas.
marks() { sed -n 's/^SCHEMA_ATTRIBUTE("\([a-z]*\)".*/\1/p' "$source/compiler/schema_attributes.def"; }
knows() { # what, file, words...
    local what=$1 file=$2 missing='' word
    shift 2
    for word in "$@"; do
        grep -v '^"' "$file" | grep -qw -- "$word" || missing="$missing $word"
    done
    if [ $# -gt 0 ] && [ -z "$missing" ]; then
        report ok "${file##*/} knows $# $what"
    else
        report 'not ok' "${file##*/} knows $what, but:$missing"
    fi
}
for language in hrm psy; do
    for file in "$vim/syntax/$language.vim" "$code/syntaxes/$language.tmLanguage.json"; do
        knows 'reserved words' "$file" $(reserved $language)
        knows types "$file" $(types)
    done
done
for file in "$vim/syntax/hrm.vim" "$code/syntaxes/hrm.tmLanguage.json"; do
    knows functions "$file" $(functions)
done
knows 'attributes' "$code/syntaxes/psy.tmLanguage.json" $(marks)
knows 'types of messages' "$code/syntaxes/psy.tmLanguage.json" string variant union struct enum flags
knows 'types of messages' "$vim/syntax/psy.vim" string variant union struct enum flags
knows 'attributes' "$vim/syntax/psy.vim" $(marks)
for file in "$vim/syntax/hrm.vim" "$code/syntaxes/hrm.tmLanguage.json"; do
    knows 'attributes' "$file" $(sed -n 's/^ATTRIBUTE([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$source/compiler/attributes.def")
done
sed -n 's/^BUILTIN_DOC("\([a-z0-9_]*\)".*/\1/p' "$source/compiler/builtins_doc.def" >"$work/builtins_doc.def"
knows 'functions of builtins.def' "$work/builtins_doc.def" $(sed -n 's/^BUILTIN("\([a-z0-9_]*\)".*/\1/p' "$source/compiler/builtins.def")

# ---- VS Code ----
if [ -x "$client" ]; then
    for file in "$code"/*.json "$code"/syntaxes/*.json; do
        if "$client" --json "$file"; then report ok "${file##*/} is JSON"; else report 'not ok' "${file##*/} is JSON"; fi
    done
else
    skip 'the files of VS Code are JSON' 'what reads JSON was left out (--without-lsp)'
fi
missing=''
for file in $(grep -o '"\./[^"]*"' "$code/package.json" | tr -d '"'); do
    [ -f "$code/$file" ] || missing="$missing $file"
done
if [ -z "$missing" ]; then report ok 'package.json names files that are there'; else report 'not ok' "package.json names$missing"; fi

# ---- Vim ----
if command -v vim >/dev/null && vim --version | grep -q '+eval' && vim --version | grep -q '+syntax'; then
    cat >"$work/look.vim" <<EOF
set nocompatible runtimepath+=$vim
filetype plugin indent on
syntax on
redir! > $work/seen
function! Seen(line, column)
  echo expand('%:e') matchstr(getline(a:line), '\\%' . a:column . 'c\\S\\w*') synIDattr(synID(a:line, a:column, 1), 'name')
endfunction
edit $source/examples/nearest/nearest.hrm
for at in [[1, 1], [2, 1], [2, 8], [4, 10], [4, 20], [4, 32], [5, 20], [8, 4], [8, 36], [8, 53], [13, 39], [20, 22], [20, 31]]
  call Seen(at[0], at[1])
endfor
edit $source/examples/nearest/nearest.psy
for at in [[1, 1], [4, 1], [5, 7], [10, 9], [12, 5], [12, 13], [30, 14]]
  call Seen(at[0], at[1])
endfor
enew
set filetype=hrm
call setline(1, ['pipeline p(q: Query) -> Hits {', 'let a = sum(', 'q.x, // (', 'axis: 0)', 'if a > 0 {', '1', '} else {', '2', '}', 'Hits {', 'x: a', '}', '}'])
silent normal! gg=G
echo join(getline(1, '\$'), "\n")
redir END
qall!
EOF
    vim -u NONE -i NONE -n -es -S "$work/look.vim" </dev/null >"$work/said" 2>&1
    grep -E '^(hrm|psy) |^ *[a-zA-Z0-9}]' "$work/seen" | grep -v lines | sed 's/ *$//' >"$work/now"
    if diff -u - "$work/now" >"$work/said" <<'EOF'; then report ok 'Vim: colours and indentation'; else report 'not ok' 'Vim: colours and indentation'; fi
hrm / hrmComment
hrm import hrmItem
hrm "nearest hrmString
hrm words hrmDeclared
hrm f32 hrmType
hrm split hrmPlacement
hrm string hrmType
hrm unit hrmDeclared
hrm sqrt hrmBuiltin
hrm 1e hrmFloat
hrm k hrmArgument
hrm stored
hrm key hrmField
psy / psyComment
psy / psyDoc
psy DIM psyDeclared
psy Query psyDeclared
psy key psyField
psy u64 psyType
psy @key psyAttribute
pipeline p(q: Query) -> Hits {
    let a = sum(
        q.x, // (
        axis: 0)
    if a > 0 {
        1
    } else {
        2
    }
    Hits {
        x: a
    }
}
EOF
    sed 's/^/# /' "$work/said"
else
    skip 'Vim: colours and indentation' 'there is no vim with +eval and +syntax'
fi

echo "1..$number"
[ $failed = 0 ]
