/* SPDX-License-Identifier: Apache-2.0 */
/* einsum against the sum that its text says, written out over all labels: chosen texts, and thousands of random ones. */
#include "tests/compiler/language.h"

enum { LABELS = 128, OPERANDS = 4 };

typedef struct said {
    char inputs[OPERANDS][16], result[16]; /* letters; capitals from 'Z' downwards stand for the axes of `...` */
    unsigned count;
} said;

/* The text with its `...` written out. */
static said read(const char *text, const tensor *const *in)
{
    said s = {.count = 0};
    char *to = s.inputs[0];
    unsigned axes = 0, dots = 0;
    for (const char *c = text; *c; c++) {
        if (*c == ',') {
            to = s.inputs[++s.count];
            axes = 0;
        } else if (c[0] == '-') {
            to = s.result;
            c++;
        } else if (c[0] == '.') {
            unsigned letters = 0;
            for (const char *k = c; *k && *k != ',' && *k != '-'; k++) {
                letters += *k != '.';
            }
            unsigned n = to == s.result ? dots : in[s.count]->rank - axes - letters;
            dots = n > dots ? n : dots;
            for (unsigned k = n; k-- > 0;) {
                *to++ = (char)('Z' - k);
            }
            c += 2;
            axes += n;
        } else if (*c != ' ') {
            *to++ = *c;
            axes++;
        }
    }
    s.count++;
    return s;
}

static tensor sums(const char *text, const tensor *const *in)
{
    said s = read(text, in);
    uint32_t sizes[LABELS] = {0}, at[LABELS] = {0}, dims[PSY_RANK_MAX] = {0};
    char labels[64] = "";
    for (unsigned i = 0; i < s.count; i++) {
        for (unsigned d = 0; d < in[i]->rank; d++) {
            unsigned label = (unsigned char)s.inputs[i][d];
            if (!strchr(labels, (int)label)) {
                labels[strlen(labels)] = (char)label;
            }
            sizes[label] = in[i]->dims[d] > sizes[label] ? in[i]->dims[d] : sizes[label];
        }
    }
    unsigned rank = (unsigned)strlen(s.result);
    for (unsigned d = 0; d < rank; d++) {
        dims[d] = sizes[(unsigned char)s.result[d]];
    }
    tensor wanted = tensor_of(in[0]->dtype, rank, dims);
    for (;;) {
        number product = 1;
        for (unsigned i = 0; i < s.count; i++) {
            size_t place = 0;
            for (unsigned d = 0; d < in[i]->rank; d++) {
                place = place * in[i]->dims[d] + (in[i]->dims[d] == 1 ? 0 : at[(unsigned char)s.inputs[i][d]]);
            }
            product *= in[i]->at[place];
        }
        size_t place = 0;
        for (unsigned d = 0; d < rank; d++) {
            place = place * dims[d] + at[(unsigned char)s.result[d]];
        }
        wanted.at[place] += product;
        size_t k = strlen(labels);
        while (k > 0 && ++at[(unsigned char)labels[k - 1]] == sizes[(unsigned char)labels[k - 1]]) {
            at[(unsigned char)labels[--k]] = 0;
        }
        if (k == 0) {
            break;
        }
    }
    for (size_t i = 0; i < wanted.n; i++) {
        wanted.at[i] = tensor_round(wanted.dtype, wanted.at[i]);
    }
    return wanted;
}

/* `written` is what the program says, `text` the same with its result written out. */
static void check_as(const char *written, const char *text, unsigned modes, unsigned dtype, unsigned count,
                     const char *const *shapes)
{
    static tensor in[OPERANDS];
    language_case c = {.tolerance = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT ? 200 : 0, .modes = modes};
    char call[160];
    int n = snprintf(call, sizeof call, "einsum(\"%s\"", written);
    for (unsigned i = 0; i < count; i++) {
        uint32_t dims[PSY_RANK_MAX];
        unsigned rank = (unsigned)strlen(shapes[i]);
        for (unsigned d = 0; d < rank; d++) {
            dims[d] = (uint32_t)(shapes[i][d] - '0');
        }
        in[i] = tensor_random(dtype, rank, dims, psy__dtype_class(dtype) == PSY_DCLASS_UINT ? 0 : -2, 2);
        for (size_t k = 0; k < in[i].n; k++) { /* operands of one shape are not the same */
            in[i].at[k] = tensor_round(dtype, in[i].at[k] + (number)i);
        }
        c.in[i] = &in[i];
        n += snprintf(call + n, sizeof call - (size_t)n, ", %c", (int)('a' + i));
    }
    snprintf(call + n, sizeof call - (size_t)n, ")");
    tensor wanted = sums(text, c.in);
    c.text = call;
    c.wanted = &wanted;
    language_check(&c);
}

#define CHECK(text, modes, dtype, ...)                                                                                         \
    check_as(text, text, modes, dtype, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

Test(einsum, known_texts)
{
    CHECK("ij,jk->ik", 0, PSY_F32, "34", "42");
    CHECK("ij,kj->ik", 0, PSY_F64, "34", "24");
    CHECK("ji,kj->ik", 0, PSY_I32, "43", "24");
    CHECK("i,i->", 0, PSY_F32, "7", "7");
    CHECK("i,j->ij", 0, PSY_F32, "3", "4");
    CHECK("i,j->ji", 0, PSY_U64, "3", "4");
    CHECK("ij->ji", 0, PSY_F32, "34");
    CHECK("ij->", 0, PSY_F32, "34");
    CHECK("ij->i", 0, PSY_I64, "34");
    CHECK("ij->j", 0, PSY_F32, "34");
    CHECK("bij,bjk->bik", 0, PSY_F32, "234", "242");
    CHECK("bij,bjk->ikb", 0, PSY_F32, "234", "242");
    CHECK("bhqd,bhkd->bhqk", 0, PSY_F32, "2243", "2253");
    CHECK("ij,ij->ij", 0, PSY_F32, "34", "34");
    CHECK("ij,ij->", 0, PSY_F32, "34", "34");
    CHECK("ijk,jil->kl", 0, PSY_F32, "234", "325");
    CHECK("ijk,ijk->", 0, PSY_F64, "234", "234");
    CHECK("ij,jk,kl->il", 0, PSY_F32, "34", "45", "52");
    CHECK("ij,jk,k->i", 0, PSY_F32, "34", "45", "5");
    CHECK("i,ij,j->", 0, PSY_F32, "3", "34", "4");
    CHECK("a,b,c,d->dbca", 0, PSY_F32, "2", "3", "4", "2");
    CHECK("nik,njk,n->ij", 0, PSY_F32, "324", "334", "3");
    CHECK(" i j , j k -> i k ", 0, PSY_F32, "34", "42");
    CHECK(",i->i", 0, PSY_F32, "", "5");
    CHECK("i,,->i", 0, PSY_F32, "4", "", "");
}

Test(einsum, diagonals)
{
    CHECK("ii->i", 0, PSY_F32, "44");
    CHECK("ii->", 0, PSY_I32, "44");
    CHECK("iij->ij", 0, PSY_F32, "332");
    CHECK("iji->ij", 0, PSY_F32, "323");
    CHECK("jii->ij", 0, PSY_F64, "233");
    CHECK("iii->i", 0, PSY_F32, "333");
    CHECK("ijij->ji", 0, PSY_F32, "2323");
    CHECK("ii,ij->j", 0, PSY_F32, "33", "34");
    CHECK("ii->i", 0, PSY_F32, "11");
}

Test(einsum, dots)
{
    CHECK("...ij,...jk->...ik", 0, PSY_F32, "234", "242");
    CHECK("...ij,...jk->...ik", 0, PSY_F32, "234", "42");
    CHECK("...ij,...jk->...ik", 0, PSY_F32, "34", "42");
    CHECK("...ij,...jk->...ik", 0, PSY_F32, "2134", "342");
    CHECK("i...->...i", 0, PSY_F32, "234");
    CHECK("i...->...", 0, PSY_F32, "234");
    CHECK("...,...->...", 0, PSY_F32, "31", "14");
    CHECK("...i,i->...", 0, PSY_F32, "15", "5");
}

/* Without `->` the result has what stands once, in the order of the alphabet. */
Test(einsum, results_left_out)
{
    check_as("ij,jk", "ij,jk->ik", 0, PSY_F32, 2, (const char *[]){"34", "42"});
    check_as("ba", "ba->ab", 0, PSY_F32, 1, (const char *[]){"34"});
    check_as("ii", "ii->", 0, PSY_F32, 1, (const char *[]){"44"});
    check_as("i,i", "i,i->", 0, PSY_F32, 2, (const char *[]){"4", "4"});
    check_as("...ij,jk", "...ij,jk->...ik", 0, PSY_F32, 2, (const char *[]){"234", "42"});
    check_as("aB", "aB->Ba", 0, PSY_F32, 1, (const char *[]){"34"});
}

/* Sizes that are names, and data that is spread over the shards. */
Test(einsum, named_and_split)
{
    CHECK("nd,ed->d", AS_NAMED | AS_SPLIT, PSY_F32, "73", "23");
    CHECK("nd->d", AS_NAMED | AS_SPLIT, PSY_F32, "73");
    CHECK("nd->", AS_NAMED | AS_SPLIT, PSY_F32, "73");
    CHECK("n->", AS_NAMED | AS_SPLIT, PSY_F32, "7");
    CHECK("nii->i", AS_NAMED | AS_SPLIT, PSY_F32, "733");
    CHECK("nij,kij->ij", AS_NAMED | AS_SPLIT, PSY_F64, "523", "423");
    CHECK("nij,kj,li->ij", AS_NAMED | AS_SPLIT, PSY_F32, "523", "43", "22");
    /* Rows with themselves, over the rows and over the rows and more. */
    tensor a = tensor_random(PSY_F32, DIMS(6, 3), -2, 2), both = tensor_of(PSY_F32, DIMS(3, 3)),
           all = tensor_scalar(PSY_F32, 0), squares = tensor_of(PSY_F32, DIMS(6));
    for (size_t n = 0; n < 6; n++) {
        for (size_t i = 0; i < 9; i++) {
            both.at[i] += a.at[n * 3 + i / 3] * a.at[n * 3 + i % 3];
            squares.at[n] += i % 4 == 0 ? a.at[n * 3 + i / 3] * a.at[n * 3 + i % 3] : 0;
        }
        all.at[0] += squares.at[n];
    }
    unsigned named = AS_NAMED | AS_SPLIT;
    language_check(
        &(language_case){.text = "einsum(\"ni,nj->ij\", a, a)", .in = {&a}, .wanted = &both, .tolerance = 40, .modes = named});
    language_check(
        &(language_case){.text = "einsum(\"ni,ni->\", a, a)", .in = {&a}, .wanted = &all, .tolerance = 40, .modes = named});
    /* A diagonal whose size is a name. */
    language_check(
        &(language_case){.text = "einsum(\"nn->n\", a @ transpose(a))", .in = {&a}, .wanted = &squares, .tolerance = 40});
    language_check(&(language_case){
        .text = "einsum(\"nn->\", a @ transpose(a))", .in = {&a}, .wanted = &all, .tolerance = 40, .modes = AS_NAMED});
    language_check(&(language_case){
        .text = "einsum(\"ninx->ix\", expand(stack(a @ transpose(a), a @ transpose(a), axis: 1), axis: 3))[1, 0]",
        .in = {&a},
        .wanted = &all,
        .tolerance = 40,
        .modes = AS_NAMED});
}

static uint64_t state = 3;

static unsigned below(unsigned n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((state >> 33) % n);
}

/* Texts of any letters over operands of any rank that the tests hold. */
Test(einsum, random_texts)
{
    enum { ROUNDS = 250, ELEMENTS = 100 };
    static const unsigned dtypes[] = {PSY_F32, PSY_F64, PSY_I32, PSY_U64};
    unsigned done = 0;
    while (done < ROUNDS) {
        unsigned count = 1 + below(4), letters = 1 + below(5), sizes[5];
        char text[80] = "", shapes[OPERANDS][8] = {"", "", "", ""}, result[8] = "";
        size_t most = 1, result_elements = 1, axes = 0;
        for (unsigned k = 0; k < letters; k++) {
            sizes[k] = 1 + below(4);
        }
        unsigned used = 0;
        for (unsigned i = 0; i < count; i++) {
            size_t elements = 1;
            unsigned rank = below(5);
            axes += rank;
            for (unsigned d = 0; d < rank; d++) {
                unsigned letter = below(letters);
                used |= 1u << letter;
                text[strlen(text)] = (char)('i' + letter);
                shapes[i][d] = (char)('0' + sizes[letter]);
                elements *= sizes[letter];
            }
            most = elements > most ? elements : most;
            strcat(text, i + 1 < count ? "," : "->");
        }
        for (unsigned k = 0; k < letters; k++) {
            unsigned letter = (k + below(letters)) % letters;
            if (used >> letter & 1 && below(2)) {
                used &= ~(1u << letter);
                result[strlen(result)] = (char)('i' + letter);
                result_elements *= sizes[letter];
            }
        }
        if (most > ELEMENTS || result_elements > ELEMENTS) {
            continue;
        }
        strcat(text, result);
        check_as(text, text, done % 2 || !axes ? AS_FIELDS : AS_RESIDENTS, dtypes[below(4)], count,
                 (const char *[]){shapes[0], shapes[1], shapes[2], shapes[3]});
        done++;
    }
}
