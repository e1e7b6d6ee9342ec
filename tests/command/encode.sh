#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne encode: every mistake in the JSON is said with its place, and nothing is written.
. "${PSYNE_SOURCE:?}/tests/command/shell.sh"

refused() { # what is said; nothing is written
    is "$status" 1 && says 'psyne: wrong.json: line ' && says "$1" && is "$(names .)" "$before"
}
wrong() { # name, JSON, what is said
    printf '%s' "$2" >wrong.json
    run encode wrong.json -m $module -t store.Document -o wrong.bin
    ok "$1" refused "$3"
}
: >wrong.json
before=$(: >out && : >err && names .)

wrong 'no such field' '{"id": 1,
  "scoer": 2}' 'line 2, column 3: store.Document: there is no field "scoer"'
wrong 'a key that is there twice' '{"id": 1, "score": 1, "id": 2}' 'line 1, column 23: store.Document.id: the key is there twice'
wrong 'a number that does not fit' '{"id": 18446744073709551616}' 'line 1, column 8: store.Document.id: a whole number from 0 to 18446744073709551615 was expected'
wrong 'a negative one' '{"id": -1}' 'store.Document.id: a whole number'
wrong 'a fraction' '{"id": 1.0}' 'store.Document.id: a whole number'
wrong 'a text for a number' '{"id": "1"}' 'store.Document.id: a whole number'
wrong 'an array for a number' '{"id": [1]}' 'store.Document.id: a whole number'
wrong 'a float that is too large' '{"score": 70000}' 'store.Document.score: a number that f16 holds'
wrong 'a name that an enum has not' '{"lang": "es"}' 'line 1, column 10: store.Document.lang: store.Lang has no such value'
wrong 'a number that it cannot be' '{"lang": 256}' 'a name, or a whole number from 0 to 255'
wrong 'flags that are no array' '{"rights": "read"}' 'store.Document.rights: an array of names was expected'
wrong 'a flag that there is not' '{"rights": ["read", "exec"]}' 'line 1, column 21: store.Document.rights: store.Rights has no such value'
wrong 'a struct that is no object' '{"at": [1, 2]}' 'line 1, column 8: store.Document.at: an object was expected'
wrong 'a text that is too long' '{"tags": ["a", "bbbbbbbbbbbbb"]}' 'line 1, column 16: store.Document.tags[1]: 13 bytes, at most 12'
wrong 'too many texts' '{"tags": ["", "", "", "", ""]}' 'store.Document.tags: 5 elements, at most 4'
wrong 'a text that is none' '{"tags": [1]}' 'store.Document.tags[0]: a text was expected'
wrong 'a note that is none' '{"note": true}' 'store.Document.note: a text was expected'
wrong 'a subtitle that is none' '{"subtitle": {}}' 'store.Document.subtitle: a text was expected'
wrong 'values that are no array' '{"values": 1}' 'store.Document.values: an array was expected'
wrong 'a value that is none' '{"values": [1, null]}' 'line 1, column 16: store.Document.values[1]: a number that f32 holds'
wrong 'values that are arrays' '{"values": [[1]]}' 'store.Document.values[0]: a number that f32 holds'
wrong 'pages that are no objects' '{"pages": [{}, 1]}' 'store.Document.pages: an array of objects was expected'
wrong 'a page of a page' '{"pages": [{"titel": ""}]}' 'store.Document.pages[0]: there is no field "titel"'
wrong 'deep inside' '{"pages": [{}, {"lines": ["a", 2]}]}' 'line 1, column 32: store.Document.pages[1].lines[1]: a text was expected'
wrong 'a member that there is not' '{"source": {"uri": ""}}' 'line 1, column 13: store.Document.source: it has no such member'
wrong 'two members' '{"source": {"url": "", "n": 1}}' 'store.Document.source: an object with one key was expected'
wrong 'a member with another value' '{"source": {"n": "x"}}' 'store.Document.source.n: a whole number'
wrong 'a variant without a shape' '{"embedding": {"dtype": "f32", "data": []}}' 'store.Document.embedding: {"dtype": "f32", "shape": [2, 3], "data": [...]} was expected'
wrong 'a type that there is not' '{"embedding": {"dtype": "f33", "shape": [], "data": [1]}}' 'store.Document.embedding: there is no such type of elements'
wrong 'another number of elements' '{"embedding": {"dtype": "u8", "shape": [2, 2], "data": [1, 2, 3]}}' '3 elements, and the shape has 4'
wrong 'nine axes' '{"embedding": {"dtype": "u8", "shape": [1,1,1,1,1,1,1,1,1], "data": [1]}}' '9 axes, at most 8'
wrong 'a shape larger than memory' '{"embedding": {"dtype": "f64", "shape": [4294967295, 4294967295], "data": []}}' 'this shape has more than'
wrong 'an element that does not fit' '{"embedding": {"dtype": "u8", "shape": [2], "data": [1, 256]}}' 'store.Document.embedding[1]: a whole number from 0 to 255'

wrong 'an array' '[1]' 'line 1, column 1: store.Document: an object was expected'
wrong 'a number' '7' 'store.Document: an object was expected'
wrong 'no end' '{"id": 1' 'line 1, column 9: `,` or `}` was expected'
wrong 'no end of a text' '{"id' 'line 1, column 2: the text does not end'
wrong 'no value' '{"id": }' 'line 1, column 8: a value was expected'
wrong 'no colon' '{"id" 1}' '`:` was expected'
wrong 'a comma too many' '{"id": 1,}' 'a key was expected'
wrong 'one in an array' '{"values": [1,]}' 'a value was expected'
wrong 'a key without quotes' '{id: 1}' 'line 1, column 2: a key was expected'
wrong 'a number with a zero in front' '{"id": 01}' '`,` or `}` was expected'
wrong 'a number that ends early' '{"score": 1.}' 'no number is written so'
wrong 'a sign alone' '{"score": -}' 'no number is written so'
wrong 'a word that is none' '{"id": nul}' 'a value was expected'
wrong 'an escape that is none' '{"note": "\q"}' 'line 1, column 11: no character is written so'
wrong 'half a pair' '{"note": "\ud83d"}' 'no character is written so'
wrong 'a line break in a text' '{"note": "
"}' 'line 1, column 11: a control character in a text'
wrong 'no UTF-8' "$(printf '{"note": "\xff"}')" 'line 1, column 11: this is no UTF-8'
wrong 'brackets without end' "$(printf '[%.0s' {1..40})" 'line 1, column 33: brackets in brackets, over 32 deep'
wrong 'a number without end' "{\"score\": 1$(printf '0%.0s' {1..1200})}" 'a number of over 1024 characters'
wrong 'more behind it' '{"id": 1} x' 'line 1, column 11: a value was expected'

# ---- what is taken ----
encode() { printf '%s' "$1" | "$psynec" encode -m $module -t store.Document -o good.bin && "$psynec" inspect good.bin -m $module -t store.Document --indent 0; }
ok 'null is what is not there' is "$(encode '{"score": null, "note": null, "source": null, "values": null, "at": null, "subtitle": null}')" "$(encode '{}')"
takes() { is "$(encode "$1" 2>&1 | grep -c -- "$2")" 1; }
ok 'keys in any order' takes '{"values": [3], "id": 1, "subtitle": "s", "pages": [{"lines": ["l"], "title": "t"}]}' '"id": 1, .*"values": \[3\], "pages": \[{"title": "t", "lines": \["l"\]}\], "subtitle": "s"'
ok 'keys with escapes' takes '{"\u0069d": 9}' '"id": 9,'
ok 'enums as numbers' takes '{"lang": 5}' '"lang": "fr"'
ok 'flags as numbers' takes '{"rights": 5}' '"rights": \["read", 4\]'
ok 'numbers of all kinds' takes '{"values": [1E2, -0.0, 1e-45, 3.4028235e38, "Infinity", "NaN(0xffc00001)", 16777217]}' '"values": \[100, -0, 1e-45, 3.4028235e38, "Infinity", "NaN(0xffc00001)", 16777216\]'
ok 'texts of all kinds' takes '{"note": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0001"}' '"note": "\\"\\\\/\\b\\f\\n\\r\\té😀\\u0001"'
ok 'an array of structs in a union' takes '{"source": {"at": {"y": 2}}}' '"source": {"at": {"x": 0, "y": 2}}'
printf '{"id": 1}{"id": 2}\n\n{"id": 3}' >several.json && run encode several.json several.json -m $module -t store.Document -o several.bin
ok 'several messages' both is "$status" 0 is "$("$psynec" inspect several.bin -m $module -t store.Document --indent 0 | grep -o '"id": .' | tr -d '\n')" '"id": 1"id": 2"id": 3"id": 1"id": 2"id": 3'
(printf '{"values": [' && for i in {1..50000}; do printf '%d,' "$i"; done && printf '0]}') >large.json
run encode large.json -m $module -t store.Document -o large.bin && ok 'one with many elements' both is "$status" 0 is "$(stat -c %s large.bin)" 200512
printf '{"id": 1}' | "$psynec" encode -m $module -t store.Document >piped.bin && ok 'to standard output' is "$(stat -c %s piped.bin)" 448
LC_ALL=$(locale -a 2>/dev/null | grep -im1 '^de_DE.utf-\?8$' || echo C) && export LC_ALL
ok 'the locale does not matter' takes '{"values": [0.5]}' '"values": \[0.5\]'
export LC_ALL=C

# ---- files ----
printf '{"id": 1}' >one.json
run encode one.json -m $module -t store.Document -o none/x.bin && ok 'a folder that there is not' both is "$status" 1 says 'none/x.bin: '
run encode none.json -m $module -t store.Document -o x.bin && ok 'a file that there is not' both is "$status" 1 says 'none.json: '
ok 'and nothing was written' test ! -e x.bin
printf 'old' >kept.bin && printf '{' >half.json && run encode one.json half.json -m $module -t store.Document -o kept.bin
ok 'what was there stays where there is a mistake' both is "$status" 1 is "$(cat kept.bin)" old
run encode one.json -m $module -t store.Document -o kept.bin && ok 'and is replaced where there is none' is "$(stat -c %s kept.bin)" 448
ok 'nothing else is left behind' is "$(names . | tr ' ' '\n' | grep -c '\.bin\..')" 0
printf '{"id": 1}\n{"id": 2}' >two.json && run encode two.json one.json -m $module -t store.Document -o kept.bin --json
ok '--json says what was made' both is "$status" 0 is "$(cat out)" '{"messages": 3, "bytes": 1344}'
run encode one.json half.json -m $module -t store.Document -o kept.bin --json && ok 'and nothing where nothing was' both is "$status" 1 is "$(cat out)" ''
run encode one.json -m $module -t store.Document --json && ok 'the messages are on standard output' both is "$status" 2 says '--json needs --output'
finish
