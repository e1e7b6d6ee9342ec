/* SPDX-License-Identifier: Apache-2.0 */
/* A document that has everything, and a reader that looks at everything. */
#ifndef TESTS_TAILS_SAMPLE_H
#define TESTS_TAILS_SAMPLE_H

#include <string.h>

#include "tails.psy.h"

static inline void sample_section(psy_builder *b, tails_section *m, unsigned n)
{
    tails_section_set_level(m, (uint8_t)n);
    tails_section_set_title(b, m, "section", 7);
    float *body = tails_section_set_body(b, m, n);
    for (unsigned i = 0; body && i < n; i++) {
        body[i] = (float)i;
    }
    tails_section_set_tags_count(b, m, 2);
    tails_section_set_tags(b, m, 1, "b\xc3\xa4", 3);
    tails_point *points = tails_section_set_points(b, m, n % 3);
    if (points) {
        memset(points, 0, n % 3 * sizeof *points);
    }
}

/* The member of the union that `which` says, or none. */
static inline void sample_source(psy_builder *b, tails_document *m, unsigned which)
{
    tails_section *sections;
    float *list;
    switch (which) {
    case TAILS_DOCUMENT_SOURCE_URL: tails_document_set_source_url(b, m, "http", 4); break;
    case TAILS_DOCUMENT_SOURCE_ID: tails_document_set_source_id(m, 5); break;
    case TAILS_DOCUMENT_SOURCE_SECTION: sample_section(b, tails_document_mutable_source_section(m), 3); break;
    case TAILS_DOCUMENT_SOURCE_SECTIONS:
        tails_document_set_source_sections_count(m, 2);
        sections = tails_document_mutable_source_sections(m);
        sample_section(b, &sections[0], 1);
        sample_section(b, &sections[1], 40);
        break;
    case TAILS_DOCUMENT_SOURCE_LIST:
        list = tails_document_set_source_list(b, m, 16);
        if (list) {
            memset(list, 0, 16 * sizeof *list);
        }
        break;
    case TAILS_DOCUMENT_SOURCE_ALL:
        sections = tails_document_set_source_all(b, m, 2);
        for (unsigned i = 0; sections && i < 2; i++) {
            sample_section(b, &sections[i], i);
        }
        break;
    case TAILS_DOCUMENT_SOURCE_WORDS:
        tails_document_set_source_words_count(b, m, 2);
        tails_document_set_source_words(b, m, 0, "w", 1);
        break;
    case TAILS_DOCUMENT_SOURCE_PICTURE: {
        const uint32_t dims[2] = {2, 3};
        void *picture = tails_document_set_source_picture(b, m, PSY_U8, 2, dims);
        if (picture) {
            memset(picture, 9, 6);
        }
        break;
    }
    default: break;
    }
}

static inline void sample_chapters(psy_builder *b, tails_document *m)
{
    tails_chapter *chapters = tails_document_set_chapters(b, m, 2);
    for (unsigned i = 0; chapters && i < 2; i++) {
        tails_chapter_set_name(b, &chapters[i], "chapter", 7);
        tails_section *sections = tails_chapter_set_sections(b, &chapters[i], 2);
        for (unsigned k = 0; sections && k < 2; k++) {
            sample_section(b, &sections[k], k + i);
        }
        tails_chapter_set_end(b, &chapters[i], "end", i * 3);
    }
}

/* A document that has everything, with this member of the union. Gives its size, or 0. */
static inline size_t sample_document(psy_builder *b, void *memory, size_t room, unsigned which)
{
    static const uint32_t dims[2] = {3, 5};
    tails_document *m = tails_document_begin(b, memory, room);
    if (m == NULL) {
        return 0;
    }
    tails_document_set_id(m, 7);
    tails_document_set_title(b, m, "Te\xc3\xa9", 4);
    tails_document_set_subtitle(b, m, "", 0);
    double *values = tails_document_set_values(b, m, 9);
    tails_lang *langs = tails_document_set_langs(b, m, 3);
    uint8_t *flags = tails_document_set_flags(b, m, 2);
    tails_document_set_tags_count(b, m, 3);
    tails_document_set_tags(b, m, 0, "one", 3);
    tails_document_set_tags(b, m, 2, "three", 5);
    tails_point *path = tails_document_set_path(b, m, 2);
    tails_block *blocks = tails_document_set_blocks(b, m, 2);
    tails_page *pages = tails_document_set_pages(b, m, 2);
    uint8_t *wide = tails_document_set_wide(b, m, 5);
    float *embedding = (float *)tails_document_set_embedding(b, m, PSY_F32, 2, dims);
    if (!values || !langs || !flags || !path || !blocks || !pages || !wide || !embedding) {
        return 0;
    }
    for (unsigned i = 0; i < 15; i++) {
        embedding[i] = (float)i;
        values[i % 9] = i % 9;
    }
    memset(langs, 1, 3);
    memset(flags, 1, 2);
    memset(path, 0, 2 * sizeof *path);
    memset(blocks, 0, 2 * sizeof *blocks);
    memset(wide, 5, 5);
    path[1].x = 3;
    blocks[1].n = 4;
    tails_page_set_url(&pages[1], "page", 4);
    sample_source(b, m, which);
    sample_section(b, tails_document_mutable_head(m), 2);
    sample_section(b, &tails_document_mutable_pair(m)[0], 1);
    sample_section(b, &tails_document_mutable_pair(m)[1], 0);
    tails_document_set_some_count(m, 2);
    sample_section(b, &tails_document_mutable_some(m)[1], 5);
    sample_section(b, tails_document_mutable_maybe(m), 17);
    tails_section *sections = tails_document_set_sections(b, m, 3);
    for (unsigned i = 0; sections && i < 3; i++) {
        sample_section(b, &sections[i], 16 * i);
    }
    sample_chapters(b, m);
    tails_document_set_last(b, m, "last", 4);
    return psy_builder_finish(b);
}

enum { SAMPLE_BYTES = 16384, SAMPLE_SOURCES = TAILS_DOCUMENT_SOURCE_PICTURE + 1 };

/* ---- a reader that looks at every byte that getters give ---- */

static inline unsigned sum_of(const void *at, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((const volatile uint8_t *)at)[i];
    }
    return sum;
}

static inline unsigned read_text(psy_text t) { return sum_of(t.at, t.bytes); }

static inline unsigned read_variant(psy_status status, const psy_variant_view *v)
{
    return status == PSY_OK ? sum_of(v->data, psy_variant_count(v) * psy_dtype_bytes(v->dtype)) : 0;
}

static inline unsigned read_section(tails_section_view v)
{
    uint32_t n;
    unsigned sum = read_text(tails_section_title(v));
    const float *body = tails_section_body(v, &n);
    sum += sum_of(body, n * sizeof *body);
    const tails_point *points = tails_section_points(v, &n);
    sum += sum_of(points, n * sizeof *points);
    for (uint32_t i = 0, count = tails_section_tags_count(v); i <= count; i++) {
        sum += read_text(tails_section_tags(v, i));
    }
    return sum + (v.message ? tails_section_level(v.message) : 0);
}

static inline unsigned read_source(tails_document_view v)
{
    uint32_t n;
    psy_variant_view shown;
    unsigned sum = tails_document_source(v.message);
    sum += read_text(tails_document_source_url(v)) + (unsigned)tails_document_source_id(v.message);
    sum += read_section(tails_document_source_section(v));
    for (uint32_t i = 0; i < 3; i++) {
        sum += read_section(tails_document_source_sections(v, i));
    }
    const float *list = tails_document_source_list(v, &n);
    sum += sum_of(list, n * sizeof *list);
    for (uint32_t i = 0, count = tails_document_source_all_count(v); i <= count; i++) {
        sum += read_section(tails_document_source_all(v, i));
    }
    for (uint32_t i = 0, count = tails_document_source_words_count(v); i <= count; i++) {
        sum += read_text(tails_document_source_words(v, i));
    }
    return sum + read_variant(tails_document_source_picture(v, &shown), &shown);
}

static inline unsigned read_chapter(tails_chapter_view v)
{
    unsigned sum = read_text(tails_chapter_name(v)) + read_text(tails_chapter_end(v)) + tails_chapter_has_end(v);
    for (uint32_t i = 0, count = tails_chapter_sections_count(v); i <= count; i++) {
        sum += read_section(tails_chapter_sections(v, i));
    }
    return sum;
}

static inline unsigned read_arrays(tails_document_view v)
{
    uint32_t n;
    unsigned sum = 0;
    const double *values = tails_document_values(v, &n);
    sum += sum_of(values, n * sizeof *values);
    const tails_lang *langs = tails_document_langs(v, &n); /* its own statement: n is what came with this pointer */
    sum += sum_of(langs, n * sizeof *langs);
    const uint8_t *flags = tails_document_flags(v, &n);
    sum += sum_of(flags, n);
    const tails_point *path = tails_document_path(v, &n);
    sum += sum_of(path, n * sizeof *path);
    const tails_block *blocks = tails_document_blocks(v, &n);
    sum += sum_of(blocks, n * sizeof *blocks);
    const tails_page *pages = tails_document_pages(v, &n);
    for (uint32_t i = 0; i < n; i++) {
        sum += sum_of(tails_page_url(&pages[i]), tails_page_url_bytes(&pages[i])) + tails_page_page(&pages[i]);
    }
    const uint8_t *wide = tails_document_wide(v, &n);
    return sum + sum_of(wide, n);
}

static inline unsigned read_document(tails_document_view v)
{
    psy_variant_view shown;
    unsigned sum = read_text(tails_document_title(v)) + read_text(tails_document_subtitle(v)) + read_arrays(v) + read_source(v);
    for (uint32_t i = 0, count = tails_document_tags_count(v); i <= count; i++) {
        sum += read_text(tails_document_tags(v, i));
    }
    sum += read_variant(tails_document_embedding(v, &shown), &shown);
    sum += read_variant(tails_document_fixed(v.message, &shown), &shown);
    sum += read_section(tails_document_head(v)) + read_section(tails_document_maybe(v));
    for (uint32_t i = 0; i < 4; i++) {
        sum += read_section(tails_document_pair(v, i)) + read_section(tails_document_some(v, i));
    }
    for (uint32_t i = 0, count = tails_document_sections_count(v); i <= count; i++) {
        sum += read_section(tails_document_sections(v, i));
    }
    for (uint32_t i = 0, count = tails_document_chapters_count(v); i <= count; i++) {
        sum += read_chapter(tails_document_chapters(v, i));
    }
    return sum + read_text(tails_document_last(v));
}

#endif
