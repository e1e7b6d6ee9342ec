/* SPDX-License-Identifier: Apache-2.0 */
#include <psyne/json.h>

#include <string.h>

#include "message/check.h"
#include "message/number.h"
#include "message/values.h"

typedef struct printer {
    psy_json_write write;
    void *context;
    unsigned indent, depth;
    bool first;   /* in the innermost brackets */
    bool stopped; /* nobody wants more */
    size_t n;
    char text[2048];
} printer;

static void flush(printer *p)
{
    if (p->n > 0 && !p->stopped) {
        p->stopped = !p->write(p->context, p->text, p->n);
    }
    p->n = 0;
}

static void put_bytes(printer *p, const char *text, size_t n)
{
    if (n > sizeof p->text - p->n) {
        flush(p);
    }
    if (n <= sizeof p->text) {
        memcpy(p->text + p->n, text, n);
        p->n += n;
    }
}

static void put(printer *p, const char *text) { put_bytes(p, text, strlen(text)); }

static void put_escape(printer *p, unsigned char c)
{
    static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\"; /* behind each its letter */
    char text[8];
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((unsigned char)letters[i] == c) {
            snprintf(text, sizeof text, "\\%c", letters[i + 1]);
            put(p, text);
            return;
        }
    }
    snprintf(text, sizeof text, "\\u%04x", c);
    put(p, text);
}

/* Of `n` bytes those up to the first that has to be written in another way. */
static size_t plain_bytes(const unsigned char *at, size_t n)
{
    size_t i = 0;
    while (i < n && at[i] >= 0x20 && at[i] < 0x80 && at[i] != '"' && at[i] != '\\') {
        i++;
    }
    return i;
}

/* What is no UTF-8 (any more) becomes U+FFFD. Others may write the bytes: a copy is looked at. */
static void put_text(printer *p, const void *text, uint32_t n)
{
    const volatile unsigned char *from = text;
    unsigned char copy[256];
    put(p, "\"");
    while (n > 0 && !p->stopped) {
        const size_t some = n < sizeof copy ? n : sizeof copy;
        for (size_t i = 0; i < some; i++) {
            copy[i] = from[i];
        }
        size_t at = 0;
        while (at < some) {
            const size_t plain = plain_bytes(copy + at, some - at);
            put_bytes(p, (const char *)copy + at, plain);
            at += plain;
            if (at == some || (copy[at] >= 0x80 && some - at < 4 && some < n)) {
                break; /* a character that may go on behind the copy */
            }
            if (copy[at] < 0x80) {
                put_escape(p, copy[at++]);
            } else {
                const size_t size = psy_utf8_character(copy + at, some - at);
                put_bytes(p, size ? (const char *)copy + at : "\xef\xbf\xbd", size ? size : 3);
                at += size ? size : 1;
            }
        }
        from += at;
        n -= (uint32_t)at;
    }
    put(p, "\"");
}

/* ---- brackets ---- */

static void new_line(printer *p)
{
    if (p->indent == 0) {
        return;
    }
    put(p, "\n");
    for (unsigned i = 0; i < p->indent * p->depth; i++) {
        put(p, " ");
    }
}

/* What comes before a value: a comma, a line of its own, its key. */
static void put_key(printer *p, const char *key)
{
    if (p->depth > 0) {
        put(p, p->first ? "" : p->indent ? "," : ", ");
        new_line(p);
    }
    p->first = false;
    if (key) {
        put(p, "\"");
        put(p, key);
        put(p, "\": ");
    }
}

static void open(printer *p, const char *bracket)
{
    put(p, bracket);
    p->depth++;
    p->first = true;
}

static void close(printer *p, const char *bracket)
{
    p->depth--;
    if (!p->first) {
        new_line(p);
    }
    put(p, bracket);
    p->first = false;
}

/* ---- numbers ---- */

static const psy_psm_field *names_of(const psy_reflection *r, const psy_psm_type *names)
{
    return r->fields + names->first_field;
}

/* The names of the bits that are set, in the order of their type, each of which adds one; and what is left over. */
static void put_flags(printer *p, const psy_reflection *r, const psy_psm_type *names, uint64_t bits)
{
    const char *between = "";
    uint64_t left = bits;
    char number[PSY_NUMBER_BYTES];
    put(p, "[");
    for (uint32_t i = 0; i < names->field_count; i++) {
        const uint64_t bit = names_of(r, names)[i].default_bits;
        if ((bits & bit) == bit && (left & bit) != 0) {
            put(p, between);
            put_text(p, psy_reflect_string(r, names_of(r, names)[i].name),
                     (uint32_t)strlen(psy_reflect_string(r, names_of(r, names)[i].name)));
            left &= ~bit;
            between = ", ";
        }
    }
    if (left) {
        put(p, between);
        put_bytes(p, number, psy__number_print(number, names->dtype, &left));
    }
    put(p, "]");
}

/* The name of the value; NULL: it has none. */
static const char *enum_name(const psy_reflection *r, const psy_psm_type *names, uint64_t bits)
{
    for (uint32_t i = 0; i < names->field_count; i++) {
        if (names_of(r, names)[i].default_bits == bits) {
            return psy_reflect_string(r, names_of(r, names)[i].name);
        }
    }
    return NULL;
}

static void put_number(printer *p, const psy_reflection *r, unsigned dtype, const psy_psm_type *names, const void *at)
{
    char text[PSY_NUMBER_BYTES];
    uint64_t bits = 0;
    memcpy(&bits, at, psy_dtype_bytes(dtype)); /* once: others may write there */
    const char *name = names && names->kind == PSY_TYPE_ENUM ? enum_name(r, names, bits) : NULL;
    if (name) {
        put_text(p, name, (uint32_t)strlen(name));
    } else if (names && names->kind == PSY_TYPE_FLAGS) {
        put_flags(p, r, names, bits);
    } else {
        put_bytes(p, text, psy__number_print(text, dtype, &bits));
    }
}

/* In one line, however many there are. */
static void put_numbers(printer *p, const psy_reflection *r, unsigned dtype, const psy_psm_type *names, const void *at,
                        uint64_t count)
{
    const unsigned bytes = psy_dtype_bytes(dtype);
    put(p, "[");
    for (uint64_t i = 0; i < count && !p->stopped; i++) {
        put(p, i ? ", " : "");
        put_number(p, r, dtype, names, (const unsigned char *)at + i * bytes);
    }
    put(p, "]");
}

static void put_variant(printer *p, const psy_reflection *r, const psy_variant_view *v)
{
    open(p, "{");
    put_key(p, "dtype");
    const char *name = psy__dtype_name(v->dtype);
    put_text(p, name, (uint32_t)strlen(name));
    put_key(p, "shape");
    put_numbers(p, r, PSY_U32, NULL, v->dims, v->rank);
    put_key(p, "data");
    put_numbers(p, r, v->dtype, NULL, v->data, psy_variant_count(v));
    close(p, "}");
}

static void put_value(printer *p, const psy_reflection *r, const psy__value *x)
{
    switch (x->kind) {
    case PSY_VALUE_NULL: put(p, "null"); break;
    case PSY_VALUE_NUMBER: put_number(p, r, x->dtype, x->names, x->at); break;
    case PSY_VALUE_NUMBERS: put_numbers(p, r, x->dtype, x->names, x->at, x->count); break;
    case PSY_VALUE_TEXT: put_text(p, x->at, x->count); break;
    case PSY_VALUE_VARIANT: put_variant(p, r, &x->variant); break;
    case PSY_VALUE_OPEN_ARRAY: open(p, "["); break;
    default: open(p, "{"); break;
    }
}

/* ---- messages ---- */

psy_status psy_message_print(const psy_type *type, const void *bytes, size_t n, unsigned indent, psy_json_write write,
                             void *context)
{
    psy__frame f;
    psy__values v;
    psy__value x;
    uint32_t size;
    const psy_status status = psy__message_verify(type, bytes, n, &f, &size);
    if (status != PSY_OK) {
        return status;
    }
    printer p = {.write = write, .context = context, .indent = indent < 16 ? indent : 16, .first = true};
    open(&p, "{");
    psy__values_init(&v, &f, bytes, size);
    while (psy__values_next(&v, &x) && !p.stopped) {
        if (x.kind == PSY_VALUE_CLOSE) {
            close(&p, x.closes == PSY_VALUE_OPEN_ARRAY ? "]" : "}");
        } else if (x.kind != PSY_VALUE_ABSENT) {
            put_key(&p, x.key);
            put_value(&p, f.reflection, &x);
        }
    }
    close(&p, "}");
    put(&p, indent ? "\n" : "");
    flush(&p);
    return p.stopped ? psy_fail(PSY_IO, "%s: what is printed could not be written", type->name) : PSY_OK;
}

static bool write_file(void *context, const char *text, size_t n) { return fwrite(text, 1, n, context) == n; }

psy_status psy_message_print_file(const psy_type *type, const void *bytes, size_t n, unsigned indent, FILE *to)
{
    return psy_message_print(type, bytes, n, indent, write_file, to);
}

typedef struct buffer {
    char *text;
    size_t room, n;
} buffer;

static bool write_buffer(void *context, const char *text, size_t n)
{
    buffer *b = context;
    if (b->n < b->room) {
        memcpy(b->text + b->n, text, n < b->room - b->n ? n : b->room - b->n);
    }
    b->n += n;
    return true;
}

psy_status psy_message_print_text(const psy_type *type, const void *bytes, size_t n, unsigned indent, char *text, size_t room,
                                  size_t *length)
{
    buffer b = {text, room, 0};
    const psy_status status = psy_message_print(type, bytes, n, indent, write_buffer, &b);
    *length = b.n;
    if (status == PSY_OK && b.n >= room) {
        return psy_fail(PSY_TOO_LARGE, "%s: its text has %zu bytes, and there is room for %zu", type->name, b.n + 1, room);
    }
    if (status == PSY_OK) {
        text[b.n] = '\0';
    }
    return status;
}
