/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "service/protocol.h"

enum { FORMAT = 1 };
static const uint64_t zero_key[2] = {0, 0};
static const char *const placements[] = {
    [PSY_PLACE_SPLIT] = "split", [PSY_PLACE_BY_KEY] = "by-key", [PSY_PLACE_REPLICATED] = "replicated"};
enum { PLACEMENTS = sizeof placements / sizeof *placements };

/* ---- what there is ---- */

psy__snapshot_resident *psy__snapshot_find(const psy__snapshot *s, const char *name)
{
    for (uint32_t i = 0; i < s->resident_count; i++) {
        if (strcmp(s->residents[i].name, name) == 0) {
            return &s->residents[i];
        }
    }
    return NULL;
}

psy__snapshot_resident *psy__snapshot_add(psy__snapshot *s, const char *name)
{
    psy__snapshot_resident r = {.rank = 0};
    if (s->resident_count == PSY_SNAPSHOT_RESIDENTS_MAX || strlen(name) >= sizeof r.name) {
        (void)psy_fail(PSY_LIMIT, "a snapshot has %d residents at most, with names of up to %zu bytes",
                       PSY_SNAPSHOT_RESIDENTS_MAX, sizeof r.name - 1);
        return NULL;
    }
    memcpy(r.name, name, strlen(name));
    psy__snapshot_resident *more = realloc(s->residents, (s->resident_count + 1) * sizeof *more);
    s->residents = more ? more : s->residents;
    r.parts = more ? calloc(s->shards, sizeof *r.parts) : NULL;
    if (!r.parts) {
        (void)psy_fail(PSY_NO_MEMORY, "no memory for a snapshot of %u residents", s->resident_count + 1);
        return NULL;
    }
    more[s->resident_count] = r;
    return &more[s->resident_count++];
}

void psy__snapshot_fini(psy__snapshot *s)
{
    for (uint32_t i = 0; i < s->resident_count; i++) {
        free(s->residents[i].parts);
    }
    free(s->residents);
    *s = (psy__snapshot){0};
}

uint64_t psy__snapshot_row_bytes(const psy__snapshot_resident *r)
{
    uint64_t bytes = psy__dtype_bytes(r->dtype);
    for (uint32_t i = 1; i < r->rank; i++) {
        bytes = __builtin_mul_overflow(bytes, r->dims[i], &bytes) ? UINT64_MAX : bytes;
    }
    return bytes;
}

static psy_status check_resident(const psy__snapshot *s, const psy__snapshot_resident *r)
{
    const bool keyed = r->placement == PSY_PLACE_BY_KEY;
    const uint32_t parts = r->placement == PSY_PLACE_REPLICATED ? 1 : s->shards;
    uint64_t rows = 0, bytes = psy__snapshot_row_bytes(r);
    if (r->rank == 0 || r->dims[0] >= UINT32_MAX || bytes == UINT64_MAX || __builtin_mul_overflow(bytes, r->dims[0], &bytes)) {
        return psy_fail(PSY_CORRUPT, "resident %s: its sizes make no sense", r->name);
    }
    for (uint32_t i = 0; i < parts; i++) {
        if (r->parts[i].data.bytes == 0 || (r->parts[i].keys.bytes != 0) != keyed) {
            return psy_fail(PSY_CORRUPT, "resident %s: files of shard %u are missing", r->name, i);
        }
        if (r->parts[i].rows > r->dims[0]) {
            break;
        }
        rows += r->parts[i].rows;
    }
    return rows == r->dims[0]
               ? PSY_OK
               : psy_fail(PSY_CORRUPT, "resident %s: its shards do not have %" PRIu64 " rows together", r->name, r->dims[0]);
}

psy_status psy__snapshot_check(const psy__snapshot *s)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->resident_count; i++) {
        status = check_resident(s, &s->residents[i]);
    }
    return status;
}

void psy__snapshot_file_name(const char *resident, uint32_t shard, uint32_t shards, bool keys,
                             char out[PSY_SNAPSHOT_FILE_BYTES])
{
    char name[PSY_SNAPSHOT_NAME_BYTES], hash[24] = "";
    bool exact = strlen(resident) < sizeof name;
    size_t n = exact ? strlen(resident) : sizeof name - 1;
    for (size_t i = 0; i < n; i++) {
        const char c = resident[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        name[i] = plain ? c : '_';
        exact = exact && plain;
    }
    name[n] = '\0';
    if (!exact) { /* two names may look the same now */
        snprintf(hash, sizeof hash, "-%016" PRIx64, psy__siphash(zero_key, resident, strlen(resident)));
    }
    snprintf(out, PSY_SNAPSHOT_FILE_BYTES, "%s%s.shard-%u-of-%u%s.npy", name, hash, shard, shards, keys ? ".keys" : "");
}

/* ---- as text ---- */

static void put_name(FILE *to, const char *name)
{
    for (; *name; name++) {
        const unsigned char c = (unsigned char)*name;
        fprintf(to, c <= ' ' || c >= 0x7f || c == '%' ? "%%%02X" : "%c", c);
    }
}

static void put_resident(FILE *to, const psy__snapshot *s, const psy__snapshot_resident *r)
{
    fprintf(to, "resident %s %s %u", psy__dtype_name(r->dtype), placements[r->placement], r->rank);
    for (uint32_t i = 0; i < r->rank; i++) {
        fprintf(to, " %" PRIu64, r->dims[i]);
    }
    fputc(' ', to);
    put_name(to, r->name);
    fputc('\n', to);
    for (uint32_t i = 0; i < (r->placement == PSY_PLACE_REPLICATED ? 1 : s->shards); i++) {
        const psy__snapshot_part *p = &r->parts[i];
        fprintf(to, "part %" PRIu64 " %" PRIu64 " %016" PRIx64, p->rows, p->data.bytes, p->data.checksum);
        if (p->keys.bytes) {
            fprintf(to, " %" PRIu64 " %016" PRIx64, p->keys.bytes, p->keys.checksum);
        }
        fputc('\n', to);
    }
}

psy_status psy__snapshot_print(const psy__snapshot *s, char **text, uint64_t *bytes)
{
    size_t n = 0;
    *text = NULL;
    FILE *to = open_memstream(text, &n);
    if (!to) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a snapshot's list");
    }
    fprintf(to, "psyne-snapshot %d\nseries %016" PRIx64 "\nversion %" PRIu64 "\nshards %u\nfolder %s\n", FORMAT, s->series,
            s->version, s->shards, s->folder);
    for (uint32_t i = 0; i < s->resident_count; i++) {
        put_resident(to, s, &s->residents[i]);
    }
    if (fflush(to) == 0) {
        fprintf(to, "end %016" PRIx64 "\n", psy__siphash(zero_key, *text, n));
    }
    const bool failed = ferror(to) != 0;
    if (fclose(to) != 0 || failed || n > PSY_SNAPSHOT_LIST_MAX) {
        free(*text);
        *text = NULL;
        return failed ? psy_fail(PSY_NO_MEMORY, "no memory for a snapshot's list")
                      : psy_fail(PSY_TOO_LARGE, "a snapshot's list has %d bytes at most", PSY_SNAPSHOT_LIST_MAX);
    }
    *bytes = n;
    return PSY_OK;
}

/* ---- out of text ---- */

typedef struct reading {
    const char *at, *end;
    uint32_t line;
    bool failed;
} reading;

static bool fail(reading *r)
{
    r->failed = true;
    return false;
}

/* That text, and then a blank or the end of the line. */
static bool take_word(reading *r, const char *word)
{
    const size_t n = strlen(word);
    if (r->failed || (size_t)(r->end - r->at) < n + 1 || memcmp(r->at, word, n) != 0 || r->at[n] != ' ') {
        return fail(r);
    }
    r->at += n + 1;
    return true;
}

static bool next_is(const reading *r, const char *word)
{
    const size_t n = strlen(word);
    return !r->failed && (size_t)(r->end - r->at) > n && memcmp(r->at, word, n) == 0 && r->at[n] == ' ';
}

/* Up to the blank or the end of the line that follows, which is taken too; '\0' behind it. */
static bool take_text(reading *r, char *out, size_t room)
{
    size_t n = 0;
    while (!r->failed && r->at + n < r->end && r->at[n] != ' ' && r->at[n] != '\n') {
        n++;
    }
    if (r->failed || n == 0 || n >= room || r->at + n == r->end || memchr(r->at, '\0', n)) {
        return fail(r);
    }
    memcpy(out, r->at, n);
    out[n] = '\0';
    r->at += n;
    r->at += *r->at == ' ';
    return true;
}

static bool take_end(reading *r)
{
    if (r->failed || r->at == r->end || *r->at != '\n') {
        return fail(r);
    }
    r->at++;
    r->line++;
    return true;
}

static uint64_t take_number(reading *r, unsigned base)
{
    static const char digits[] = "0123456789abcdef";
    char text[24];
    uint64_t value = 0;
    if (!take_text(r, text, sizeof text)) {
        return 0;
    }
    for (const char *c = text; *c; c++) {
        const char *digit = strchr(digits, *c);
        const uint64_t d = digit ? (uint64_t)(digit - digits) : base;
        if (d >= base || __builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, d, &value)) {
            fail(r);
            return 0;
        }
    }
    return value;
}

static bool take_name(reading *r, char out[PSY_SNAPSHOT_NAME_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    char text[3 * PSY_SNAPSHOT_NAME_BYTES];
    size_t n = 0;
    if (!take_text(r, text, sizeof text)) {
        return false;
    }
    for (const char *c = text; *c; c++) {
        char byte = *c;
        if (*c == '%') {
            const char *high = c[1] ? strchr(digits, c[1]) : NULL, *low = high && c[2] ? strchr(digits, c[2]) : NULL;
            byte = low ? (char)((high - digits) * 16 + (low - digits)) : '\0';
            c += low ? 2 : 0;
        }
        if (byte == '\0' || n + 1 >= PSY_SNAPSHOT_NAME_BYTES) {
            return fail(r);
        }
        out[n++] = byte;
    }
    out[n] = '\0';
    return true;
}

static uint8_t take_dtype(reading *r)
{
    char text[16];
    const unsigned dtype = take_text(r, text, sizeof text) ? psy__dtype_named(text, strlen(text)) : 0;
    if (dtype == 0) {
        fail(r);
    }
    return (uint8_t)dtype;
}

static uint8_t take_placement(reading *r)
{
    char text[16];
    if (take_text(r, text, sizeof text)) {
        for (unsigned i = 0; i < PLACEMENTS; i++) {
            if (placements[i] && strcmp(placements[i], text) == 0) {
                return (uint8_t)i;
            }
        }
    }
    fail(r);
    return 0;
}

static psy_status take_resident(reading *r, psy__snapshot *s)
{
    psy__snapshot_resident found = {.rank = 0};
    take_word(r, "resident");
    found.dtype = take_dtype(r);
    found.placement = take_placement(r);
    const uint64_t rank = take_number(r, 10);
    found.rank = rank >= 1 && rank <= PSY_RANK_MAX ? (uint8_t)rank : 0;
    for (uint32_t i = 0; i < found.rank; i++) {
        found.dims[i] = take_number(r, 10);
    }
    if (found.rank == 0 || !take_name(r, found.name) || !take_end(r) || psy__snapshot_find(s, found.name)) {
        fail(r);
        return PSY_OK;
    }
    psy__snapshot_resident *new = psy__snapshot_add(s, found.name);
    if (!new) {
        return s->resident_count == PSY_SNAPSHOT_RESIDENTS_MAX ? PSY_LIMIT : PSY_NO_MEMORY;
    }
    found.parts = new->parts;
    *new = found;
    for (uint32_t i = 0; i < (found.placement == PSY_PLACE_REPLICATED ? 1 : s->shards) && take_word(r, "part"); i++) {
        psy__snapshot_part *p = &new->parts[i];
        p->rows = take_number(r, 10);
        p->data.bytes = take_number(r, 10);
        p->data.checksum = take_number(r, 16);
        if (found.placement == PSY_PLACE_BY_KEY) {
            p->keys.bytes = take_number(r, 10);
            p->keys.checksum = take_number(r, 16);
        }
        take_end(r);
    }
    return PSY_OK;
}

/* Only such a name is one that was made here. */
static bool is_folder(const char *name)
{
    return strncmp(name, "data-", 5) == 0 && strlen(name) == 21 && strspn(name + 5, "0123456789abcdef") == 16;
}

static psy_status parse(reading *r, psy__snapshot *s)
{
    psy_status status = PSY_OK;
    take_word(r, "psyne-snapshot");
    const uint64_t format = take_number(r, 10);
    if (!r->failed && format != FORMAT) {
        return psy_fail(PSY_VERSION, "the snapshot has format %" PRIu64 ", this library %d", format, FORMAT);
    }
    take_end(r);
    take_word(r, "series");
    s->series = take_number(r, 16);
    take_end(r);
    take_word(r, "version");
    s->version = take_number(r, 10);
    take_end(r);
    take_word(r, "shards");
    const uint64_t shards = take_number(r, 10);
    take_end(r);
    take_word(r, "folder");
    take_text(r, s->folder, sizeof s->folder);
    take_end(r);
    if (!r->failed && (s->version == 0 || shards == 0 || shards > PSY_SHARDS_MAX || !is_folder(s->folder))) {
        fail(r);
    }
    s->shards = r->failed ? 0 : (uint32_t)shards;
    while (status == PSY_OK && next_is(r, "resident")) {
        status = take_resident(r, s);
    }
    return status;
}

psy_status psy__snapshot_parse(const char *text, uint64_t bytes, psy__snapshot *out)
{
    reading r = {text, text + bytes, 1, false};
    *out = (psy__snapshot){0};
    psy_status status = parse(&r, out);
    if (status == PSY_OK) {
        const char *end = r.at;
        take_word(&r, "end");
        const uint64_t checksum = take_number(&r, 16);
        take_end(&r);
        if (r.failed || r.at != r.end) {
            status = psy_fail(PSY_CORRUPT, "its line %u is not what is due there", r.line);
        } else if (checksum != psy__siphash(zero_key, text, (size_t)(end - text))) {
            status = psy_fail(PSY_CORRUPT, "its checksum is another");
        } else {
            status = psy__snapshot_check(out);
        }
    }
    if (status != PSY_OK) {
        psy__snapshot_fini(out);
    }
    return status;
}
