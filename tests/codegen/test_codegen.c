/* SPDX-License-Identifier: Apache-2.0 */
/* What code generation accepts, and what it says when it does not: every row of ops.def with every dtype, every shape of
 * region, random programs. */
#include "tests/codegen/kernels.h"
#include "tests/engine/random.h"

enum { COUNT = 70, DTYPES = 14 };

/* A program whose first result has the row's operation, on one array. */
static void add_row(build *b, const psy_op_info *info, unsigned dtype, uint32_t a)
{
    switch (info->class_) {
    case PSY_CLASS_SELECT: build_output_ranked(b, a, 5); return;
    case PSY_CLASS_SIZE:
        build_output(b, info->op == PSY_OP_BASE ? build_base(b, dtype, PSY_DIM_SYMBOL | 2) : build_size(b, dtype, 1000));
        return;
    case PSY_CLASS_REGION:
        build_region(b, false, 1, (psy_dim[]){COUNT});
        build_map(b, PSY_OP_ADD, a, a);
        build_region_end(b);
        build_output(b, a);
        return;
    case PSY_CLASS_VIEW:
        if (info->op == PSY_OP_COUNT) {
            build_output(b, build_count(b, dtype == PSY_U8 ? 5 : 4));
            return;
        }
        if (info->op == PSY_OP_LENGTHS) {
            build_output(b, build_lengths(b, 6));
            return;
        }
        if (info->op == PSY_OP_PARTIAL) {
            build_output(b, build_reduce(b, PSY_OP_SUM, build_cast(b, PSY_I32, build_partial(b, 0, PSY_DIM_SYMBOL)), 0));
            return;
        }
        build_output(b, a);
        return;
    case PSY_CLASS_LOOKUP: build_output(b, build_lookup(b, 0, build_load(b, 1))); return;
    case PSY_CLASS_STORE:
        if (info->op == PSY_OP_STORE_LENGTHS) {
            uint32_t texts = build_texts(b, 1, PSY_FIELD_ARRAY, 9, 3);
            build_store(b, build_load(b, 6), texts, PSY_NONE);
            build_store_lengths(b, build_lengths(b, 6), texts);
        }
        build_output(b, a);
        return;
    default: build_output(b, build_operation(b, info, dtype, a, build_load(b, 2), build_load(b, 3))); return;
    }
}

/* Where it must be accepted: words of four bytes for what computes, up to that for what copies, and 64 bits for what only
 * stores. */
static bool must_accept(const psy_op_info *info, unsigned dtype)
{
    unsigned bytes = psy__dtype_bytes(dtype);
    switch (info->class_) {
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_MAP3:
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_REDUCE1:
    case PSY_CLASS_REDUCE2: return (bytes == 4 || dtype == PSY_BOOL) && random_has_form(info->op, dtype);
    case PSY_CLASS_SELECT:
    case PSY_CLASS_REGION:
    case PSY_CLASS_SCATTER:
    case PSY_CLASS_SCAN:
    case PSY_CLASS_INDEX: return bytes == 4;
    case PSY_CLASS_CAST:
    case PSY_CLASS_CHOOSE:
    case PSY_CLASS_JOIN:
    case PSY_CLASS_GATHER: return bytes <= 4;
    case PSY_CLASS_LOOKUP:
    case PSY_CLASS_SORT: return false;
    case PSY_CLASS_VIEW: return info->op != PSY_OP_PARTIAL;
    default: return true;
    }
}

Test(codegen, every_row)
{
    unsigned accepted = 0, refused = 0;
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        for (unsigned dtype = 1; dtype < DTYPES; dtype++) {
            bool computes = info->class_ != PSY_CLASS_REGION || psy__dtype_computes(dtype);
            if ((info->class_ != PSY_CLASS_REGION && !psy__op_takes(info, dtype)) || !computes || !psy__dtype_bytes(dtype)) {
                continue;
            }
            char label[48];
            snprintf(label, sizeof label, "%s of %s", info->name, psy__dtype_name(dtype));
            build *b = build_create();
            uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
            build_field(b, in, dtype, PSY_FIELD_ARRAY, COUNT);
            build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
            build_field(b, in, PSY_BOOL, PSY_FIELD_ARRAY, COUNT);
            build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, COUNT);
            build_field(b, in, PSY_I64, PSY_FIELD_BOUNDED, COUNT);
            build_field(b, in, PSY_I64, PSY_FIELD_OPTIONAL, 1);
            build_texts(b, in, PSY_FIELD_ARRAY, 9, 3);
            build_field(b, partial, dtype, PSY_FIELD_SCALAR, 1);
            build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
            psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
            build_resident(b, dtype, PSY_PLACE_BY_KEY, local, 2, (psy_dim[]){n, COUNT});
            build_program(b, in, partial, out);
            add_row(b, info, dtype, build_load(b, 0));
            build_end(b);
            build_finish(b);
            kernels k = kernels_of(&b->module, 0, label);
            if (k.status == PSY_OK) {
                accepted++;
                cr_assert(k.count > 0, "%s: no kernel", label);
            } else {
                const char *why = psy_detail();
                refused++;
                cr_assert(!must_accept(info, dtype), "%s is refused: %s", label, why);
                cr_assert(strstr(why, info->name) || strstr(why, psy__dtype_name(dtype)), "%s: the refusal names neither: %s",
                          label, why);
            }
            kernels_free(&k);
            build_destroy(b);
        }
    }
    cr_assert(accepted > 60 && refused > 60, "%u rows were accepted, %u refused", accepted, refused);
}

Test(codegen, casts)
{
    for (unsigned from = 1; from < DTYPES; from++) {
        for (unsigned to = 1; to < DTYPES; to++) {
            char label[48];
            snprintf(label, sizeof label, "cast from %s to %s", psy__dtype_name(from), psy__dtype_name(to));
            build *b = build_create();
            psy_dim n = COUNT;
            uint32_t in = build_type(b), out = build_type(b);
            build_field(b, in, from, PSY_FIELD_ARRAY, n);
            build_field(b, in, from, PSY_FIELD_SCALAR, 1);
            build_program(b, in, PSY_NONE, out);
            uint32_t a = build_load(b, 0), x = build_load(b, 1);
            build_region(b, false, 1, &n);
            uint32_t narrow = build_cast(b, to, a), wide = build_cast(b, PSY_I32, narrow);
            build_region_end(b);
            build_output(b, wide);
            build_output(b, build_cast(b, to, x));
            build_end(b);
            build_finish(b);
            kernels k = kernels_of(&b->module, 0, label);
            bool words = psy__dtype_bytes(from) <= 4 && psy__dtype_bytes(to) <= 4;
            cr_assert_eq(k.status, words ? PSY_OK : PSY_UNSUPPORTED, "%s: %s", label, psy_detail());
            cr_assert(words || strstr(psy_detail(), psy__dtype_name(psy__dtype_bytes(from) > 4 ? from : to)), "%s: %s", label,
                      psy_detail());
            kernels_free(&k);
            build_destroy(b);
        }
    }
}

/* ---- shapes ---- */

/* A region over `rank` dims, some of them sizes, with operands that broadcast and results that stay and that leave. */
static void run_region(unsigned dtype, unsigned rank, bool reduces, bool symbolic)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), dims[PSY_RANK_MAX], ones[PSY_RANK_MAX];
    for (unsigned d = 0; d < PSY_RANK_MAX; d++) {
        dims[d] = symbolic && d % 2 == 0 ? n : 3 + d;
        ones[d] = d % 2 ? 1 : dims[d];
    }
    build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t whole = rank ? build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, rank, dims) : 0;
    uint32_t some = rank ? build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, rank, ones) : 0;
    build_program(b, in, PSY_NONE, out);
    uint32_t w = build_load(b, 0), x = rank ? build_view(b, whole) : w, y = rank ? build_view(b, some) : w;
    build_region(b, reduces, rank, dims);
    uint32_t first = build_map(b, PSY_OP_MUL, x, y), second = build_map(b, PSY_OP_MAX, first, w), left = second;
    if (reduces) {
        uint32_t sum = build_reduce(b, PSY_OP_SUM, second, rank - 1), low = build_reduce(b, PSY_OP_RMIN, x, rank - 1);
        uint32_t dot = build_reduce2(b, PSY_OP_DOT, first, y);
        left = build_map(b, PSY_OP_SUB, build_map(b, PSY_OP_DIV, sum, low), dot);
    }
    build_region_end(b);
    const uint32_t leave[] = {left, first};
    for (unsigned i = 0; i < 2; i++) {
        uint32_t last = leave[i];
        for (unsigned r = build_register(b, last)->rank; r > 0; r--) {
            last = build_reduce(b, PSY_OP_SUM, last, r / 2);
        }
        build_output(b, last);
    }
    build_end(b);
    build_finish(b);
    char label[80];
    snprintf(label, sizeof label, "region of %s, rank %u%s%s", psy__dtype_name(dtype), rank, reduces ? ", reducing" : "",
             symbolic ? ", symbolic" : "");
    kernels k = kernels_of(&b->module, 0, label);
    cr_assert_eq(k.status, PSY_OK, "%s: %s", label, psy_detail());
    kernels_free(&k);
    build_destroy(b);
}

Test(codegen, regions)
{
    static const unsigned dtypes[] = {PSY_F32, PSY_I32, PSY_U32};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned rank = 0; rank <= 5; rank++) {
            run_region(dtypes[i], rank, false, false);
            run_region(dtypes[i], rank, false, true);
        }
        for (unsigned rank = 1; rank <= 5; rank++) {
            run_region(dtypes[i], rank, true, false);
            run_region(dtypes[i], rank, true, true);
        }
    }
}

/* ---- views and moves ---- */

/* Views of views of every place, with sizes, read by every kind of kernel; numbers of 32 and 64 bits. */
static void run_views(unsigned dtype, bool symbolic)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    psy_dim n = symbolic ? build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE) : 12;
    psy_dim half = symbolic ? build_computed(b, PSY_SYMBOL_DIVIDE, n, 2) : 6,
            all = symbolic ? build_computed(b, PSY_SYMBOL_MULTIPLY, n, 2) : 24;
    build_field(b, in, PSY_U8, PSY_FIELD_SCALAR, 1);
    build_field(b, in, dtype, PSY_FIELD_ARRAY, 20);
    build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, 5);
    build_field(b, in, PSY_U64, PSY_FIELD_ARRAY, 5);
    build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){n, 4, 5});
    build_program(b, in, PSY_NONE, out);
    uint32_t v = build_load(b, 1), narrow = build_load(b, 2), wide = build_load(b, 3), m = build_view(b, 0);
    uint32_t square = build_reshape(b, v, 2, (psy_dim[]){4, 5}), flat = build_reshape(b, m, 2, (psy_dim[]){n, 20});
    uint32_t turned = build_permute(b, m, (unsigned[]){2, 0, 1}), back = build_slice(b, flat, 0, half, half, symbolic ? 1 : -1);
    uint32_t more = build_repeat(b, square, 3, (psy_dim[]){n, 4, 5});
    uint32_t joined = build_concat(b, 0, 2, (uint32_t[]){m, more}, all);
    uint32_t slot = build_permute(b, joined, (unsigned[]){1, 2, 0});
    const uint32_t views[] = {turned,
                              back,
                              more,
                              slot,
                              build_gather(b, turned, narrow, 0),
                              build_gather(b, slot, wide, 2),
                              build_gather(b, v, build_slice(b, wide, 0, 4, 3, -2), 0)};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        unsigned rank = build_register(b, views[i])->rank;
        uint32_t y = build_concat(b, rank - 1, 1, &views[i], build_register(b, views[i])->dims[rank - 1]);
        if (psy__dtype_computes(dtype)) {
            y = build_scan(b, PSY_OP_CUMSUM, build_map(b, PSY_OP_ADD, y, views[i]), rank / 2);
            y = rank == 3 && i == 4 ? build_scatter(b, y, narrow, y) : y;
        }
        y = psy__dtype_computes(dtype) || dtype == PSY_BOOL ? y : build_cast(b, PSY_F32, y);
        while (build_register(b, y)->rank > 0) {
            y = build_reduce(b, dtype == PSY_BOOL ? PSY_OP_ALL : PSY_OP_RMAX, y, build_register(b, y)->rank / 2);
        }
        build_output(b, y);
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "views of %s%s", psy__dtype_name(dtype), symbolic ? ", symbolic" : "");
    kernels k = kernels_of(&b->module, 0, label);
    cr_assert_eq(k.status, PSY_OK, "%s: %s", label, psy_detail());
    kernels_free(&k);
    build_destroy(b);
}

Test(codegen, views_and_moves)
{
    for (unsigned dtype = 1; dtype < DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) <= 4) {
            run_views(dtype, false);
            run_views(dtype, true);
        }
    }
}

/* ---- refusals ---- */

static void refuses(build *b, const char *what)
{
    build_end(b);
    build_finish(b);
    kernels k = kernels_of(&b->module, 0, what);
    cr_assert_eq(k.status, PSY_UNSUPPORTED, "%s is accepted", what);
    cr_assert(strstr(psy_detail(), what), "\"%s\" is not in the refusal: %s", what, psy_detail());
    cr_assert(k.at == NULL && k.count == 0);
    build_destroy(b);
}

static build *begin(unsigned dtype, uint32_t count)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, dtype, PSY_FIELD_ARRAY, count);
    build_field(b, in, PSY_U64, PSY_FIELD_ARRAY, count);
    build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
    build_program(b, in, PSY_NONE, out);
    return b;
}

Test(codegen, refusals)
{
    build *b = begin(PSY_F32, 300);
    uint32_t best = build_topk(b, build_load(b, 0), build_load(b, 1), 3, PSY_NONE);
    build_output(b, best);
    refuses(b, "topk with labels");

    b = begin(PSY_F32, 300);
    build_output_ranked(b, build_load(b, 0), 257);
    refuses(b, "topk of more than 256");

    b = begin(PSY_F64, 300);
    build_output_ranked(b, build_load(b, 0), 3);
    refuses(b, "topk of f64");

    b = begin(PSY_F32, 300);
    build_store(b, build_load(b, 0), build_field(b, 1, PSY_F32, PSY_FIELD_BOUNDED, 300), build_load(b, 2));
    refuses(b, "u64");

    b = begin(PSY_F32, 300);
    build_output(b, build_sort(b, build_load(b, 0), 300, false));
    refuses(b, "sort");

    b = begin(PSY_F32, 300);
    build_output(b, build_map(b, PSY_OP_SIN, build_load(b, 0), PSY_NONE));
    refuses(b, "sin of f32");

    b = begin(PSY_F64, 300);
    build_output(b, build_concat(b, 0, 2, (uint32_t[]){build_load(b, 0), build_load(b, 0)}, PSY_NONE));
    refuses(b, "f64");
}

/* ---- random programs ---- */

Test(codegen, random_programs)
{
    const char *wanted = getenv("PSYNE_TEST_RANDOM");
    uint64_t count = wanted && *wanted ? strtoull(wanted, NULL, 10) : 200, accepted = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        static random_program p;
        random_program_init(
            &p, &(random_limits){
                    .seed = seed, .steps = 25, .outputs = 25, .words_only = seed % 4 != 0, .views_only = seed % 5 != 0});
        char label[48];
        snprintf(label, sizeof label, "random program, seed %llu", (unsigned long long)seed);
        kernels k = kernels_of(&p.b->module, 0, label);
        accepted += k.status == PSY_OK;
        kernels_free(&k);
        random_program_fini(&p);
    }
    cr_assert(accepted * 2 > count, "only %llu of %llu programs have kernels", (unsigned long long)accepted,
              (unsigned long long)count);
}
