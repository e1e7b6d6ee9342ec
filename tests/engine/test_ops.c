/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of ops.def, with every dtype that it takes, is in a program whose results were compared: a row that no engine runs,
 * or that this file cannot reach, fails here. */
#include "tests/engine/suite.h"

enum { COUNT = 70 };

/* Where the program's operands come from. */
typedef struct sources {
    psy_dim shards, local;
    uint32_t array, key, partial;      /* fields */
    uint32_t bounded, optional, texts; /* more of them */
    uint32_t output;                   /* type */
    uint32_t rows, keyed;              /* residents */
    uint32_t a, truth, index;          /* the array, bools and integers, loaded */
    unsigned dtype;
    psy__resident_data residents[2];
} sources;

static build *begin(suite *s, unsigned dtype, sources *x)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
    x->dtype = dtype;
    x->array = build_field(b, in, dtype, PSY_FIELD_ARRAY, COUNT);
    x->key = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
    uint32_t truth = build_field(b, in, PSY_BOOL, PSY_FIELD_ARRAY, COUNT),
             index = build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, COUNT);
    x->bounded = build_field(b, in, PSY_I64, PSY_FIELD_BOUNDED, COUNT);
    x->optional = build_field(b, in, PSY_I64, PSY_FIELD_OPTIONAL, 1);
    x->texts = build_texts(b, in, PSY_FIELD_ARRAY, 9, 3);
    x->output = out;
    x->partial = build_field(b, partial, dtype, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    x->local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    x->shards = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    x->rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){COUNT});
    x->keyed = build_resident(b, dtype, PSY_PLACE_BY_KEY, x->local, 2, (psy_dim[]){n, COUNT});
    x->residents[0] = suite_resident(s, SUITE_PLAIN, dtype, COUNT, 1);
    x->residents[1] = suite_keyed(s, SUITE_PLAIN, dtype, 1, COUNT, 2);
    build_program(b, in, partial, out);
    x->a = build_load(b, x->array);
    x->truth = build_load(b, truth);
    x->index = build_load(b, index);
    return b;
}

/* The row's instructions and their results; false: it has none for the dtype. */
static bool add_row(build *b, const sources *x, const psy_op_info *info)
{
    switch (info->class_) {
    case PSY_CLASS_VIEW:
        if (info->op == PSY_OP_LOAD) {
            build_output(b, build_load(b, x->array));
        } else if (info->op == PSY_OP_COUNT) {
            build_output(b, build_count(b, x->dtype == PSY_U8 ? x->optional : x->bounded));
        } else if (info->op == PSY_OP_LENGTHS) {
            build_output(b, build_lengths(b, x->texts));
        } else if (info->op == PSY_OP_RESIDENT) {
            build_output(b, build_view(b, x->rows));
        } else if (info->op == PSY_OP_CONST) {
            build_output(b, build_const(b, x->dtype, 1, (psy_dim[]){COUNT}, x->residents[0].data));
        } else if (info->op == PSY_OP_PARTIAL) {
            uint32_t p = build_partial(b, x->partial, x->shards);
            build_output(b, build_reduce(b, PSY_OP_RMAX, psy__dtype_computes(x->dtype) ? p : build_cast(b, PSY_F32, p), 0));
        } else {
            return false;
        }
        return true;
    case PSY_CLASS_SIZE:
        build_output(b, info->op == PSY_OP_BASE ? build_base(b, x->dtype, x->local) : build_size(b, x->dtype, 1000));
        return true;
    case PSY_CLASS_STORE:
        if (info->op == PSY_OP_STORE_LENGTHS) {
            uint32_t f = build_texts(b, x->output, PSY_FIELD_ARRAY, 9, 3);
            build_store(b, build_load(b, x->texts), f, PSY_NONE);
            build_store_lengths(b, build_lengths(b, x->texts), f);
            return true;
        }
        build_output(b, x->a);
        return true;
    case PSY_CLASS_LOOKUP: build_output(b, build_lookup(b, x->keyed, build_load(b, x->key))); return true;
    case PSY_CLASS_SORT:
    case PSY_CLASS_SELECT: {
        uint32_t best = build_operation(b, info, x->dtype, x->a, x->truth, x->index);
        build_output(b, best);
        build_output(b, best + 1);
        return true;
    }
    case PSY_CLASS_REGION: {
        build_region(b, false, 1, (psy_dim[]){COUNT});
        uint32_t y = build_map(b, PSY_OP_ADD, x->a, x->a);
        build_region_end(b);
        build_output(b, y);
        return true;
    }
    default: build_output(b, build_operation(b, info, x->dtype, x->a, x->truth, x->index)); return true;
    }
}

static void fill_key(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)s;
    (void)message;
    (void)partials;
    *(uint64_t *)suite_field(c->b, 0, 1, input) = c->residents[1].keys[0];
}

static bool is_known(const suite *s, const psy_op_info *info, unsigned dtype)
{
    return info->class_ == PSY_CLASS_REGION ? s->reached[info->op][0] : s->reached[info->op][dtype];
}

static void run_row(suite *s, const psy_op_info *info, unsigned dtype, bool alone)
{
    sources x;
    build *b = begin(s, dtype, &x);
    bool any = false;
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *other = psy__op_row(row);
        bool takes = other->class_ == PSY_CLASS_REGION ? psy__dtype_computes(dtype) : psy__op_takes(other, dtype);
        bool together = other->class_ != PSY_CLASS_LOOKUP && other->op != PSY_OP_PARTIAL &&
                        (s->cpu || suite_has(s, other, dtype)); /* without what other engines refuse */
        if (takes && (alone ? other == info : together && !is_known(s, other, dtype))) {
            any = add_row(b, &x, other) || any;
        }
    }
    build_end(b);
    if (any) {
        build_finish(b);
        char label[48];
        snprintf(label, sizeof label, "%s of %s", alone ? info->name : "all", psy__dtype_name(dtype));
        suite_run(s, &(suite_case){.label = label,
                                   .b = b,
                                   .symbols = (uint64_t[]){1, 1, 2},
                                   .residents = x.residents,
                                   .shards = 2,
                                   .data = SUITE_POSITIVE,
                                   .fill = fill_key,
                                   .batch_max = 5});
    }
    build_destroy(b);
    suite_resident_free(&x.residents[0]);
    suite_resident_free(&x.residents[1]);
}

ENGINE_TEST(ops, every_row)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_bytes(dtype)) {
            continue;
        }
        /* In one program if that goes: an engine that makes kernels then makes one for each operation. */
        run_row(s, NULL, dtype, false);
        for (unsigned row = 0; row < psy__op_count(); row++) {
            const psy_op_info *info = psy__op_row(row);
            bool takes = info->class_ == PSY_CLASS_REGION ? psy__dtype_computes(dtype) : psy__op_takes(info, dtype);
            if (takes && !is_known(s, info, dtype)) {
                run_row(s, info, dtype, true);
            }
        }
    }
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        bool any = false;
        for (unsigned dtype = 0; dtype < SUITE_DTYPES; dtype++) {
            bool takes = info->class_ == PSY_CLASS_REGION ? dtype == 0 : psy__op_takes(info, dtype);
            any = any || s->reached[info->op][dtype];
            if (s->cpu && takes && !s->reached[info->op][dtype]) {
                suite_mismatch(s, "%s of %s was never compared", info->name, dtype ? psy__dtype_name(dtype) : "anything");
            }
        }
        if (!any && !strstr(s->refused, info->name)) {
            suite_mismatch(s, "%s was never compared, and not refused", info->name);
        }
    }
}
