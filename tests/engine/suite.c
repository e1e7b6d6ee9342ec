/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/engine/suite.h"

#include <math.h>

#include "tests/engine/allocations.h"

enum { CANARY = 0xA5, LAYOUTS = 3 };

/* ---- what went wrong ---- */

static void append(char *text, size_t size, const char *format, va_list arguments)
{
    size_t n = strlen(text);
    if (n + 1 < size) {
        vsnprintf(text + n, size - n, format, arguments);
    }
}

void suite_mismatch(suite *s, const char *format, ...)
{
    if (s->mismatches++ < 20) {
        va_list arguments;
        va_start(arguments, format);
        size_t n = strlen(s->report);
        snprintf(s->report + n, sizeof s->report - n, "\n  ");
        append(s->report, sizeof s->report, format, arguments);
        va_end(arguments);
    }
}

static void refused(suite *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refused(suite *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append(s->refused, sizeof s->refused, format, arguments);
    va_end(arguments);
}

/* ---- messages in memory ---- */

typedef struct placed {
    psy__span spans[SUITE_MESSAGES];
    uint32_t span_count;
    uint8_t *at[SUITE_MESSAGES], *end;
} placed;

/* 0: one span. 1: spans of one, here and there. 2: up to three spans with gaps in their strides, the last one first. */
static void place(suite *s, placed *p, uint8_t *base, uint32_t count, uint64_t bytes, unsigned layout)
{
    uint64_t room = bytes + (layout ? 64 : 0);
    uint32_t order[SUITE_MESSAGES], run = layout == 0 ? count : layout == 1 ? 1 : count / 3 + 1;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; layout == 1 && i > 1; i--) {
        uint32_t j = (uint32_t)(suite_random(&s->random) % i), other = order[i - 1];
        order[i - 1] = order[j];
        order[j] = other;
    }
    p->span_count = 0;
    p->end = base + count * room;
    for (uint32_t first = 0; first < count; first += run) {
        uint32_t n = count - first < run ? count - first : run;
        uint8_t *start = layout == 2 ? base + (count - first - n) * room : base + order[first] * room;
        p->spans[p->span_count++] = (psy__span){start, room, n};
        for (uint32_t i = 0; i < n; i++) {
            p->at[first + i] = start + i * room;
        }
    }
}

/* ---- one case ---- */

typedef struct running {
    suite *s;
    const suite_case *c;
    const psy_psm_type *in, *partial, *out;
    uint32_t count, shards;
    uint64_t partial_bytes; /* of all shards' records for one message */
    uint8_t *inputs, *partials;
    reference_result *want;
    uint8_t *touched;
    uint64_t touched_bytes;
} running;

static void compare_output(running *x, const char *where, uint32_t message, const reference_output *o, const uint8_t *at)
{
    suite *s = x->s;
    const psy__module *m = &x->c->b->module;
    const psy_psm_field *f = &m->fields[x->out->first_field + o->field];
    const psy_op_info *info = psy__op_info(o->value.op);
    bool strict =
        s->cpu && (info->class_ == PSY_CLASS_MAP1 || info->class_ == PSY_CLASS_MAP2 || info->class_ == PSY_CLASS_VIEW);
    uint32_t n = o->count, counted = o->counted;
    unsigned dtype = o->lengths ? PSY_U32 : f->dtype;
    if (!o->lengths && f->count_offset != PSY_NONE) {
        counted = 0;
        memcpy(&counted, at + f->count_offset, f->kind == PSY_FIELD_OPTIONAL ? 1 : sizeof counted);
        if (counted != o->counted) {
            suite_mismatch(s, "%s, message %u: %s has a count of %u, not %u", where, message, psy__module_string(m, f->name),
                           counted, o->counted);
            return;
        }
    }
    unsigned shown = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *element = at + (o->lengths ? f->inner_offset : f->offset) + (uint64_t)i * psy__dtype_bytes(dtype);
        /* A product may leave the range of its dtype on the way, or not: that depends on the order and on what is rounded. */
        if ((x->c->loose || info->op == PSY_OP_PROD || info->op == PSY_OP_FMA) && isinf(o->value.cells[i].error)) {
            s->unknown_cells++;
            continue;
        }
        s->known_cells++;
        if (!reference_agrees(dtype, &o->value.cells[i], element, strict) && shown++ < 3) {
            char got_text[64], want_text[64];
            reference_cell got = reference_read(dtype, element);
            reference_print(dtype, &got, got_text, sizeof got_text);
            reference_print(dtype, &o->value.cells[i], want_text, sizeof want_text);
            suite_mismatch(s, "%s, message %u: %s = %s %s, element %u of %u: got %s, want %s", where, message,
                           psy__module_string(m, f->name), info->name, psy__dtype_name(dtype), i, n, got_text, want_text);
        }
    }
    s->compared++;
}

/* What a message's writer may touch: header, counts, elements. */
static void touch(running *x, const uint8_t *start, const uint8_t *at, const reference_result *want)
{
    uint8_t *t = x->touched + (at - start);
    if (want->status != PSY_OK) {
        memset(t, 1, x->out->bytes);
        return;
    }
    memset(t, 1, 8);
    for (uint32_t f = 0; f < x->out->field_count; f++) {
        const psy_psm_field *part = &x->c->b->module.fields[x->out->first_field + f];
        if (part->kind == PSY_FIELD_PART) {
            memset(t + part->offset, 1, 8);
        }
    }
    for (uint32_t i = 0; i < want->output_count; i++) {
        const psy_psm_field *f = &x->c->b->module.fields[x->out->first_field + want->outputs[i].field];
        const reference_output *o = &want->outputs[i];
        memset(t + (o->lengths ? f->inner_offset : f->offset), 1,
               (size_t)o->count * psy__dtype_bytes(o->lengths ? PSY_U32 : f->dtype));
        if (f->count_offset != PSY_NONE && !o->lengths) {
            memset(t + f->count_offset, 1, f->kind == PSY_FIELD_OPTIONAL ? 1 : 4);
        }
    }
}

static void check_header(running *x, const char *where, uint32_t message, const uint8_t *at, uint32_t bytes, uint32_t version)
{
    struct {
        uint32_t bytes;
        uint16_t version, reserved;
    } header;
    memcpy(&header, at, sizeof header);
    if (header.bytes != bytes || header.version != version || header.reserved != 0) {
        suite_mismatch(x->s, "%s, message %u: a header is %u, %u, %u", where, message, header.bytes, header.version,
                       header.reserved);
    }
}

static void check_batch(running *x, const char *where, uint32_t count, const placed *in, const placed *partials,
                        const placed *out, const uint8_t *start, const uint8_t *status)
{
    suite *s = x->s;
    uint64_t used = (uint64_t)(out->end - start);
    memset(x->touched, 0, used);
    for (uint32_t i = 0; i < count; i++) {
        const reference_result *want = &x->want[i];
        touch(x, start, out->at[i], want);
        if (status[i] != want->status) {
            suite_mismatch(s, "%s, message %u: status %u, not %u", where, i, status[i], want->status);
            continue;
        }
        if (want->status != PSY_OK) {
            s->compared++;
            continue;
        }
        check_header(x, where, i, out->at[i], x->out->bytes, x->out->version);
        for (uint32_t f = 0; f < x->out->field_count; f++) {
            const psy_psm_field *part = &x->c->b->module.fields[x->out->first_field + f];
            if (part->kind == PSY_FIELD_PART) {
                check_header(x, where, i, out->at[i] + part->offset, part->count, 1);
            }
        }
        for (uint32_t o = 0; o < want->output_count; o++) {
            compare_output(x, where, i, &want->outputs[o], out->at[i]);
        }
        if (memcmp(in->at[i], x->inputs + (uint64_t)i * x->in->bytes, x->in->bytes) != 0 ||
            (x->partial && memcmp(partials->at[i], x->partials + i * x->partial_bytes, x->partial_bytes) != 0)) {
            suite_mismatch(s, "%s, message %u: what it read was written to", where, i);
        }
    }
    for (uint64_t i = 0; i < used; i++) {
        if (!x->touched[i] && start[i] != CANARY) {
            suite_mismatch(s, "%s: byte %llu of the outputs was written to and belongs to no result", where,
                           (unsigned long long)i);
            break;
        }
    }
}

/* The same run once more gives the same bytes; `when`: "the second time". */
static void run_again(running *x, const char *when, psy__executable *executable, const psy__batch *batch, const char *where,
                      uint8_t *outputs, size_t bytes)
{
    uint8_t *first = malloc(bytes), status[SUITE_MESSAGES];
    cr_assert(first != NULL, "no memory");
    memcpy(first, outputs, bytes);
    memcpy(status, batch->status, batch->count);
    memset(outputs, CANARY, bytes);
    psy_status ran = executable->engine->interface->run(executable, batch);
    if (ran != PSY_OK || memcmp(status, batch->status, batch->count) != 0 || memcmp(first, outputs, bytes) != 0) {
        suite_mismatch(x->s, "%s: the same run gave other bytes %s", where, when);
    }
    free(first);
}

/* Reads the first and the last element of every value: their places are memory. */
static void look(void *context, psy__executable *executable, const psy__bound_program *program, uint32_t count)
{
    suite *s = context;
    for (uint32_t i = 0; i < program->program->register_count; i++) {
        const psy__bound_register *r = &program->registers[i];
        int64_t last = 0;
        for (uint32_t d = 0; d < r->rank; d++) {
            last += r->dims[d] ? ((int64_t)r->dims[d] - 1) * r->strides[d] : 0;
        }
        for (uint32_t m = 0; r->count > 0 && m < count; m++) {
            const volatile uint8_t *at = psy__cpu_value(executable, i, m);
            s->looked_at += at[0] + at[last] >= 0;
        }
    }
}

/* Who looks at what a program computes changes none of it. */
static void run_looked_at(running *x, const suite_engine *e, const psy__binding *binding, const psy__batch *batch,
                          const char *where, uint8_t *outputs, size_t bytes)
{
    psy__executable *executable;
    const psy__tracer tracer = {look, x->s};
    const psy__engine_options options = {.max_batch = SUITE_MESSAGES, .tracer = &tracer};
    psy__engine *engine;
    char set[16] = "";
    cr_assert_eq(sscanf(e->engine->interface->describe(e->engine), "cpu (%15[a-z0-9] kernels)", set), 1);
    setenv("PSYNE_CPU", set, 1);
    psy_status status = psy__engine_open("cpu", &options, &engine);
    cr_assert(status == PSY_OK, "%s", psy_detail());
    unsetenv("PSYNE_CPU");
    status = engine->interface->bind(engine, binding, &executable);
    if (status == PSY_OK) {
        const uint64_t before = x->s->looked_at;
        run_again(x, "while somebody looks", executable, batch, where, outputs, bytes);
        if (x->s->looked_at == before && binding->module->programs[binding->program].register_count > 0) {
            suite_mismatch(x->s, "%s: nothing was there to look at", where);
        }
        engine->interface->unbind(executable);
    } else if (status != PSY_TOO_LARGE) {
        suite_mismatch(x->s, "%s: %s: bind gave %d: %s", e->label, where, (int)status, psy_detail());
    }
    psy__engine_close(engine);
}

static void run_batch(running *x, const suite_engine *e, const psy__binding *binding, psy__executable *executable,
                      uint32_t count, unsigned in_layout, unsigned out_layout)
{
    static const char *const layouts[LAYOUTS] = {"one span", "spans of one", "runs"};
    suite *s = x->s;
    static placed in, partials, out;
    char where[160];
    snprintf(where, sizeof where, "%s: %s, batch of %u in %s to %s", e->label, x->c->label, count, layouts[in_layout],
             layouts[out_layout]);
    place(s, &in, s->memory + 256, count, x->in->bytes, in_layout);
    place(s, &partials, in.end + 256, x->partial ? count : 0, x->partial_bytes, in_layout);
    uint8_t *start = partials.end;
    place(s, &out, start + 256, count, x->out->bytes, out_layout);
    out.end += 256;
    cr_assert((uint64_t)(out.end - s->memory) <= s->memory_bytes, "%s: the suite's memory is too small", where);
    if ((uint64_t)(out.end - start) > x->touched_bytes) {
        x->touched_bytes = (uint64_t)(out.end - start);
        x->touched = realloc(x->touched, x->touched_bytes);
        cr_assert(x->touched != NULL, "no memory");
    }
    memset(start, CANARY, (size_t)(out.end - start));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(in.at[i], x->inputs + (uint64_t)i * x->in->bytes, x->in->bytes);
        if (x->partial) {
            memcpy(partials.at[i], x->partials + i * x->partial_bytes, x->partial_bytes);
        }
    }
    uint8_t status[SUITE_MESSAGES + 1];
    memset(status, CANARY, sizeof status);
    psy__batch batch = {.count = count,
                        .inputs = in.spans,
                        .input_spans = in.span_count,
                        .partials = partials.spans,
                        .partial_spans = partials.span_count,
                        .outputs = out.spans,
                        .output_spans = out.span_count,
                        .status = status};
    uint64_t allocations = allocations_count();
    psy_status ran = e->engine->interface->run(executable, &batch);
    if (ran != PSY_OK) {
        suite_mismatch(s, "%s: run gave %d: %s", where, (int)ran, psy_detail());
        return;
    }
    if (allocations_count() != allocations) {
        suite_mismatch(s, "%s: the run allocated %llu times", where, (unsigned long long)(allocations_count() - allocations));
    }
    if (status[count] != CANARY) {
        suite_mismatch(s, "%s: a status after the last was written", where);
    }
    check_batch(x, where, count, &in, &partials, &out, start, status);
    if (in_layout == 1) {
        run_again(x, "the second time", executable, &batch, where, start, (size_t)(out.end - start));
        if (s->cpu && !s->own) {
            run_looked_at(x, e, binding, &batch, where, start, (size_t)(out.end - start));
        }
    }
}

static void run_engine(running *x, const suite_engine *e)
{
    suite *s = x->s;
    const suite_case *c = x->c;
    const psy__engine_interface *i = e->engine->interface;
    static const uint64_t zeros[BUILD_SYMBOLS];
    psy__binding binding = {.module = &c->b->module,
                            .program = c->program,
                            .symbols = c->symbols ? c->symbols : zeros,
                            .bases = c->bases ? c->bases : zeros,
                            .residents = c->residents,
                            .partial_stride = x->shards ? x->partial_bytes / x->shards : 0};
    psy__executable *executable = NULL;
    psy_status status = i->bind(e->engine, &binding, &executable);
    if (status != PSY_OK) {
        suite_mismatch(s, "%s: %s: bind gave %d: %s", e->label, c->label, (int)status, psy_detail());
        return;
    }
    uint32_t five = x->count < 5 ? x->count : 5;
    run_batch(x, e, &binding, executable, x->count, 0, 0);
    run_batch(x, e, &binding, executable, five, 1, 2);
    run_batch(x, e, &binding, executable, 1, 0, 0);
    run_batch(x, e, &binding, executable, x->count, 1, 1);
    if (s->cpu) {
        run_batch(x, e, &binding, executable, five, 2, 0);
        run_batch(x, e, &binding, executable, five, 0, 1);
    }
    i->unbind(executable);
}

static void make_messages(running *x, reference *r)
{
    suite *s = x->s;
    const suite_case *c = x->c;
    const psy__module *m = &c->b->module;
    x->inputs = calloc(x->count, x->in->bytes);
    x->partials = calloc(x->count, x->partial_bytes ? x->partial_bytes : 1);
    x->want = calloc(x->count, sizeof *x->want);
    cr_assert(x->inputs && x->partials && x->want, "no memory");
    for (uint32_t i = 0; i < x->count; i++) {
        uint8_t *input = x->inputs + (uint64_t)i * x->in->bytes, *partials = x->partials + i * x->partial_bytes;
        for (uint32_t f = 0; f < x->in->field_count; f++) {
            const psy_psm_field *field = &m->fields[x->in->first_field + f];
            suite_fill(s, c->data, field->dtype, input + field->offset, (uint64_t)field->count * field->inner);
        }
        for (uint32_t k = 0; k < x->shards; k++) {
            uint8_t *record = partials + k * (x->partial_bytes / x->shards);
            for (uint32_t f = 0; f < x->partial->field_count; f++) {
                const psy_psm_field *field = &m->fields[x->partial->first_field + f];
                suite_fill(s, c->data, field->dtype, record + field->offset, field->count);
            }
        }
        if (c->fill) {
            c->fill(s, c, i, input, partials);
        }
        reference_run(r, input, partials, &x->want[i]);
    }
}

static void mark_reached(suite *s, const psy__module *m, const psy_psm_program *p)
{
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(m, p, word, &at);
        s->reached[at.op][at.dtype] = true;
    }
}

void suite_run(suite *s, const suite_case *c)
{
    const psy__module *m = &c->b->module;
    const psy_psm_program *p = &m->programs[c->program];
    if (s->engines[0].engine->interface->supports(s->engines[0].engine, m, c->program) != PSY_OK) {
        if (strstr(s->refused, psy_detail()) == NULL) {
            refused(s, "\n  %s: %s", c->label, psy_detail());
        }
        return;
    }
    uint64_t after = s->random; /* programs made later do not depend on how many messages there were */
    suite_random(&after);
    if (s->showing) {
        s->own->show(m, c->program);
        s->random = after;
        mark_reached(s, m, p);
        s->known_cells++;
        s->compared++;
        return;
    }
    static const uint64_t zeros[BUILD_SYMBOLS];
    running x = {.s = s, .c = c, .in = &m->types[p->input_type], .out = &m->types[p->output_type]};
    x.count = c->batch_max ? c->batch_max : SUITE_MESSAGES;
    if (p->partial_type != PSY_NONE) {
        x.partial = &m->types[p->partial_type];
        x.shards = c->shards;
        x.partial_bytes = c->shards * (c->partial_stride ? c->partial_stride : x.partial->bytes);
    }
    reference r = {.module = m,
                   .program = c->program,
                   .symbols = c->symbols ? c->symbols : zeros,
                   .bases = c->bases ? c->bases : zeros,
                   .residents = c->residents,
                   .partial_stride = x.shards ? x.partial_bytes / x.shards : 0,
                   .exact = c->exact};
    reference_init(&r);
    make_messages(&x, &r);
    for (unsigned e = 0; e < s->engine_count; e++) {
        run_engine(&x, &s->engines[e]);
    }
    s->random = after;
    mark_reached(s, m, p);
    for (uint32_t i = 0; i < x.count; i++) {
        reference_result_free(&x.want[i]);
    }
    reference_fini(&r);
    free(x.inputs);
    free(x.partials);
    free(x.want);
    free(x.touched);
}

/* The smallest program with the operation in it. */
static build *probe(const psy_op_info *info, unsigned dtype)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t x = build_field(b, in, dtype, PSY_FIELD_ARRAY, 7), y = build_field(b, in, PSY_BOOL, PSY_FIELD_ARRAY, 7),
             z = build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, 7);
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), truth = build_load(b, y), index = build_load(b, z);
    build_output(b, build_operation(b, info, dtype, a, truth, index));
    build_end(b);
    build_finish(b);
    return b;
}

bool suite_has(suite *s, const psy_op_info *info, unsigned dtype)
{
    if (!psy__op_takes(info, dtype)) {
        return false;
    }
    uint8_t *known = &s->probed[info->op % SUITE_OPS][dtype];
    if (*known == 0) {
        build *b = probe(info, dtype);
        psy_status status = s->engines[0].engine->interface->supports(s->engines[0].engine, &b->module, 0);
        *known = status == PSY_OK ? 1 : 2;
        if (status == PSY_UNSUPPORTED) {
            refused(s, "\n  %s %s: %s", info->name, psy__dtype_name(dtype), psy_detail());
        } else if (status != PSY_OK) {
            suite_mismatch(s, "%s: supports gave %d for %s %s: %s", s->family, (int)status, info->name, psy__dtype_name(dtype),
                           psy_detail());
        }
        build_destroy(b);
    }
    return *known == 1;
}

bool suite_casts(suite *s, unsigned from, unsigned to)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, from, PSY_FIELD_ARRAY, 7);
    build_program(b, in, PSY_NONE, out);
    build_output(b, build_cast(b, to, build_load(b, x)));
    build_end(b);
    build_finish(b);
    psy_status status = s->engines[0].engine->interface->supports(s->engines[0].engine, &b->module, 0);
    if (status == PSY_UNSUPPORTED) {
        refused(s, "\n  cast from %s to %s", psy__dtype_name(from), psy__dtype_name(to));
    } else if (status != PSY_OK) {
        suite_mismatch(s, "%s: supports gave %d for a cast: %s", s->family, (int)status, psy_detail());
    }
    build_destroy(b);
    return status == PSY_OK;
}
