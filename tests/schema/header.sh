#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generated headers as a user's compiler sees them: C11 and C++17 without a warning, nothing but <psyne/...> to find, nothing to
# link but for messages from outside. accessors.sh looks at what they compile to.
. "$(dirname "$0")/../compiler/shell.sh"
include=$source/runtime/include
# What the command says goes to err, where `ok` looks.
quietly() { "$@" >err 2>&1; }

imports=$PSYNE_SOURCE/tests/golden/imports
"$psynec" -I "$imports" "$imports"/shared{,_more,_list,_kinds}.psy "$PSYNE_SOURCE"/tests/golden/header/*.psy "$PSYNE_SOURCE"/tests/schema/*.psy "$PSYNE_SOURCE"/examples/nearest/nearest.psy -o gen || exit 1
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Werror'
for header in gen/*.h; do
    name=$(basename "$header")
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" >use.c
    cp use.c use.cc
    # shellcheck disable=SC2086
    for optimise in -O0 -O2; do
        ok "$name as C11, $optimise" quietly $PSYNE_CC -std=c11 $warnings $optimise -I"$include" -Igen -c use.c -o use.o
        ok "$name as C++17, $optimise" quietly $CXX -std=c++17 $warnings $optimise -I"$include" -Igen -c use.cc -o usecc.o
    done
    ok "$name includes <psyne/...>, C's own and what it imports" test "$(grep '^#include' "$header" | grep -v '<psyne/variant.h>\|<psyne/builder.h>\|"shared.*\.psy\.h"' | sort | tr '\n' ' ')" = \
        '#include <psyne/json.h> #include <psyne/message.h> #include <psyne/reflect.h> #include <psyne/verify.h> #include <stdbool.h> #include <string.h> '
    grep -q psy_variant_view "$header"
    ok "$name includes what variants need if it has any" test $? = "$(grep -q 'psyne/variant.h' "$header"; echo $?)"
done
# Types without a namespace may be called as what is inside of functions.
"$psynec" "$PSYNE_SOURCE"/tests/schema/names/locals.psy -o names
printf '#include "locals.psy.h"\n' | tee names.c >names.cc
# shellcheck disable=SC2086
for optimise in -O0 -O2; do
    ok "names of locals as C11, $optimise" quietly $PSYNE_CC -std=c11 ${warnings/-Wshadow/} $optimise -I"$include" -Inames -c names.c -o names.o
    ok "names of locals as C++17, $optimise" quietly $CXX -std=c++17 ${warnings/-Wshadow/} $optimise -I"$include" -Inames -c names.cc -o namescc.o
done
printf '#include "%s"\n' $(cd gen && echo *.h) >all.c
ok 'all of them in one C file' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen -c all.c -o all.o
# What another compiler says of them.
cp all.c all.cc
for other in gcc clang; do
    plus=${other/gcc/g}++
    if $PSYNE_CC --version | head -n 1 | grep -qi "$other"; then
        continue
    elif ! command -v $other >/dev/null || ! command -v "$plus" >/dev/null; then
        skip "$other" "there is no $other or no $plus"
        continue
    fi
    for standard in c11 c++17; do
        compiler=$other file=all.c
        [ $standard = c11 ] || compiler=$plus file=all.cc
        # shellcheck disable=SC2086
        ok "$compiler, $standard" quietly $compiler -std=$standard $warnings -O2 -I"$include" -Igen -c $file -o other.o
    done
done

# A C++ program that uses every kind of accessor.
cat >kinds.cc <<'END'
#include "kinds.psy.h"
int main()
{
    static kinds_order memory, copy;
    kinds_order *order = kinds_order_init(&memory);
    kinds_item *item = kinds_order_mutable_item(order);
    const uint32_t dims[] = {2, 3};
    bool good = kinds_item_set_title(item, "lamp", 4) && kinds_item_set_tags(item, 1, "warm", 4) && !kinds_item_set_title(item, "\xff", 1);
    kinds_item_set_tags_count(item, 2);
    kinds_item_set_price(item, 2.5f);
    kinds_item_mutable_place(item)[0] = 1;
    float *x = static_cast<float *>(kinds_item_set_embedding(item, PSY_F32, 2, dims));
    x[5] = 7;
    good = good && kinds_order_read(&copy, order, sizeof *order) == PSY_OK;
    psy_variant_view view, row;
    const kinds_item *read = kinds_order_item(&copy);
    good = good && kinds_item_embedding(read, &view) == PSY_OK && psy_variant_row(&view, 0, 1, &row) == PSY_OK;
    const float *y = static_cast<const float *>(psy_variant_elements(&row, PSY_F32));
    good = good && y && y[2] == 7 && kinds_item_title_bytes(read) == 4 && kinds_item_tags_bytes(read, 1) == 4 && kinds_item_price(read) == 2.5f;
    return good && kinds_item_place(read) && !kinds_item_has_big(read) && kinds_order_after(&copy) == 9 ? 0 : 1;
}
END
# shellcheck disable=SC2086
ok 'a C++ program' quietly $CXX -std=c++17 $warnings -I"$include" -Igen kinds.cc -o kinds $library
ok 'a C++ program reads what it wrote' quietly ./kinds

# What has no bound, unions and structs, from C++.
cat >tails.cc <<'END'
#include <cstdio>
#include "tails.psy.h"
#include "unions.psy.h"
#include "values.psy.h"
int main()
{
    alignas(64) static unsigned char memory[4096], copy[4096];
    psy_builder b;
    tails_document *d = tails_document_begin(&b, memory, sizeof memory);
    bool good = d && tails_document_set_title(&b, d, "tea", 3);
    tails_point *path = tails_document_set_path(&b, d, 2);
    path[0] = path[1] = tails_point{1, 2, 1, {}};
    good = good && tails_document_set_source_url(&b, d, "http", 4);
    tails_section *sections = tails_document_set_sections(&b, d, 2);
    good = good && tails_section_set_tags_count(&b, &sections[1], 1) && tails_section_set_tags(&b, &sections[1], 0, "x", 1);
    const size_t n = psy_builder_finish(&b);
    tails_document_view v;
    size_t size;
    good = good && n > 0 && tails_document_read(copy, sizeof copy, &size, memory, n) == PSY_OK && tails_document_view_init(&v, copy, size) == PSY_OK;
    uint32_t count;
    good = good && tails_document_title(v).bytes == 3 && tails_document_path(v, &count)[1].y == 2 && count == 2;
    good = good && tails_section_tags(tails_document_sections(v, 1), 0).bytes == 1 && tails_document_source_url(v).bytes == 4;
    static unions_event event;
    unions_event_set_what_side(unions_event_init(&event), UNIONS_SIDE_RIGHT);
    good = good && unions_event_what_side(&event) == UNIONS_SIDE_RIGHT;
    unions_event_mutable_what_point(&event)->x = 3;
    good = good && unions_event_what_side(&event) == UNIONS_SIDE_LEFT && unions_event_what_point(&event)->x == 3 && unions_event_verify(&event, sizeof event) == PSY_OK;
    static values_book book;
    values_lang lang = VALUES_LANG_EN;
    good = good && values_lang_named("de", 2, &lang);
    values_book_set_lang(values_book_init(&book), lang);
    char text[4096];
    good = good && values_book_lang(&book) == VALUES_LANG_DE && values_book_first(&book) == nullptr;
    good = good && psy_message_print_text(values_book_type(), &book, sizeof book, 0, text, sizeof text, &size) == PSY_OK;
    return good && values_book_parse(text, size, copy, sizeof copy, &size) == PSY_OK && size == sizeof book ? 0 : 1;
}
END
# shellcheck disable=SC2086
ok 'tails, unions and structs in C++' quietly $CXX -std=c++17 $warnings -I"$include" -Igen tails.cc -o tails $library
ok 'are read as they were written' quietly ./tails

# What builds and reads takes nothing to link; what is deprecated is said where it is used, and nowhere else.
cat >bare.c <<'END'
#include "tails.psy.h"
#include "values.psy.h"
static _Alignas(64) unsigned char memory[TAILS_DOCUMENT_BYTES + 64];
int main(void)
{
    static values_book book;
    psy_builder b;
    tails_document *d = tails_document_begin(&b, memory, sizeof memory);
    const tails_document_view v = {d, sizeof memory};
    values_book_set_lang(values_book_init(&book), VALUES_LANG_EN);
    return tails_document_set_title(&b, d, "tea", 3) && psy_builder_finish(&b) && tails_document_title(v).bytes == 3 ? 0 : 1;
}
END
# shellcheck disable=SC2086
ok 'building and reading links alone' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen bare.c -o bare
ok 'and works' quietly ./bare
deprecated() {
    sed "s/return tails_document/return $1 || tails_document/" bare.c >old.c
    # shellcheck disable=SC2086
    ! $PSYNE_CC -std=c11 $warnings -I"$include" -Igen -c old.c -o old.o >err 2>&1 && grep -q "$2" err && ! grep -q 'psy\.h:[0-9:]* error' err
}
ok 'a deprecated field says so' deprecated 'values_book_stale(\&book)' 'use `level`'
ok 'without a reason too' deprecated 'values_book_aged(\&book)[0] == 0' 'deprecated'
ok 'a deprecated message says so' deprecated 'values_old_init(memory)->book == 0' 'use `Book`'

# Messages of several files, inside each other.
cat >imports.c <<'END'
#include "imports.psy.h"
int main(void)
{
    static shop_order memory, copy;
    shop_order *order = shop_order_init(&memory);
    shared_item_set_id(shared_more_shelf_mutable_first(shop_order_mutable_shelf(order)), 7);
    shared_place_set_y(shop_order_mutable_at(order), 2.5);
    shop_place_set_name(shop_order_mutable_to(order), "here", 4);
    shared_more_item_mutable_about(shop_order_mutable_about(order))[SHARED_MORE_DIM - 1] = 3;
    return shop_order_read(&copy, order, sizeof *order) == PSY_OK && shared_item_id(shared_more_shelf_first(shop_order_shelf(&copy))) == 7 &&
                   shared_place_y(shop_order_at(&copy)) == 2.5 && shop_place_name_bytes(shop_order_to(&copy)) == 4 &&
                   shared_more_item_about(shop_order_about(&copy))[3] == 3 && shop_order_price(&copy) == 0.5f &&
                   shared_item_price(shop_order_item(&copy)) == 1.5f && SHOP_ORDER_WIDE_COUNT == 2 * SHARED_DIM
               ? 0
               : 1;
}
END
# shellcheck disable=SC2086
ok 'messages of other files' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen imports.c -o imports $library
ok 'are read as they were written' quietly ./imports
cat >imported_kinds.c <<'END'
#include "imported_kinds.psy.h"
int main(void)
{
    static const char text[] = "{\"lines\": [{\"from\": {\"x\": 1, \"y\": 2, \"colour\": \"RED\"}, \"to\": {\"x\": 3, \"y\": 4, \"colour\": \"GREEN\"}}], "
                               "\"colour\": \"BLUE\", \"pages\": [{\"title\": \"one\"}, {\"title\": \"two\"}], \"source\": {\"colour\": \"GREEN\"}}";
    static _Alignas(64) char memory[4096];
    mine_drawing_view view;
    size_t size = 0;
    uint32_t count = 0;
    if (mine_drawing_parse(text, sizeof text - 1, memory, sizeof memory, &size) != PSY_OK || mine_drawing_view_init(&view, memory, size) != PSY_OK) {
        return 1;
    }
    const mine_drawing *drawing = (const mine_drawing *)(const void *)memory;
    const mine_line *lines = mine_drawing_lines(view, &count);
    return count == 1 && lines[0].to.colour == KINDS_SHARED_COLOUR_GREEN && mine_drawing_colour(drawing) == KINDS_SHARED_COLOUR_BLUE &&
                   mine_drawing_marks(drawing) == KINDS_SHARED_MARKS_SOLD && mine_drawing_pages_count(drawing) == 2 &&
                   mine_drawing_source_colour(drawing) == KINDS_SHARED_COLOUR_GREEN && !mine_drawing_has_corner(drawing)
               ? 0
               : 2;
}
END
# shellcheck disable=SC2086
ok 'types of other files' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen imported_kinds.c -o imported_kinds -L"$build/runtime/.libs" -lpsyne-rt
ok 'are read from JSON' quietly env LD_LIBRARY_PATH="$build/runtime/.libs" ./imported_kinds
# What two files share is one type, and what was not asked for is not written.
"$psynec" -I "$imports" "$PSYNE_SOURCE"/tests/golden/header/imports.psy -o alone
ok 'a schema alone writes its own header' test "$(ls alone)" = imports.psy.h
ok 'the same as in company' cmp -s alone/imports.psy.h gen/imports.psy.h

ok 'nothing is left to link but what moves memory' test -z "$(nm -u all.o | grep -vE ' (memcpy|memset)$')"
finish
