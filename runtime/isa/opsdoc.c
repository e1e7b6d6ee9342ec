/* SPDX-License-Identifier: Apache-2.0 */
/* Writes doc/ops.md, the reference of operations, from ops.def and dtypes.def: `make update-docs`. */
#include <stdio.h>
#include <string.h>

#include "isa/module.h"

typedef struct op_row {
    const char *name, *text, *class_, *signature, *dtypes, *c_float, *c_int;
    int code, tolerance;
    const char *doc;
} op_row;

static const op_row ops[] = {
#define OP(NAME, code, text, class, signature, dtypes, c_float, c_int, spirv_float, spirv_sint, spirv_uint, tolerance, doc)    \
    {#NAME, text, #class, signature, #dtypes, #c_float, #c_int, code, tolerance, doc},
#include "isa/ops.def"
#undef OP
};

typedef struct dtype_row {
    const char *text, *class_;
    int code, bytes, computes;
} dtype_row;

static const dtype_row dtypes[] = {
#define DTYPE(NAME, code, text, bytes, ctype, class, compute) {#text, #class, code, bytes, compute},
#include "isa/dtypes.def"
#undef DTYPE
};

static const struct {
    const char *name, *title, *text;
} classes[] = {
    {"VIEW", "Views", "Name memory that exists; they cost nothing and their registers have no slot."},
    {"SIZE", "Sizes", "A size that is bound when data is loaded, as a value."},
    {"LOOKUP", "Keyed rows", "Find a row of resident data by its key; the result is a view."},
    {"SHAPE", "Views of values",
     "Name the operand's memory under other dims; they cost nothing and their registers have no slot."},
    {"INDEX", "Places", "Made from nothing."},
    {"JOIN", "Joining", "The first number is the axis."},
    {"GATHER", "Gathering", "The number is the axis."},
    {"SCATTER", "Scattering", "Axis 0 of the first operand."},
    {"MAP1", "Elementwise, one operand", "The result has the operand's dims."},
    {"MAP2", "Elementwise, two operands",
     "The result's dims are the operands' broadcast against each other: aligned at the last dim, equal, or 1."},
    {"MAP3", "Elementwise, three operands", "The result's dims are the operands' broadcast against each other."},
    {"COMPARE", "Comparisons",
     "Elementwise; the dtype is that of the operands, and the result is bool. A bool is its lowest bit."},
    {"CHOOSE", "Choice", "Elementwise; the first operand is bool."},
    {"CAST", "Conversion", "Elementwise; from the operand's dtype to the instruction's."},
    {"REDUCE1", "Reductions of one operand", "The second operand is the axis, which the result has no more."},
    {"REDUCE2", "Reductions of two operands", "The operands are broadcast against each other; the last dim is reduced."},
    {"SCAN", "Running reductions", "The number is the axis."},
    {"SORT", "Order", "Two results in a row: the values, and their positions as u64."},
    {"SELECT", "Selection", "Two results in a row: the values, and their labels as u64."},
    {"STORE", "Results", "Write the output message; every field exactly once, and so the lengths of several texts."},
    {"REGION", "Fusion", "Marks what becomes one kernel."},
};

static const struct {
    char letter;
    const char *text;
} operands[] = {{'r', "register"}, {'o', "register or `-`"},      {'i', "number"}, {'d', "size"},          {'f', "field"},
                {'n', "resident"}, {'c', "offset of a constant"}, {'*', "sizes"},  {'s', "signed number"}, {'+', "registers"}};

static void put_operands(const char *signature)
{
    const char *kind = strchr(signature, ':') + 1;
    for (const char *k = kind; *k; k++) {
        for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++) {
            if (operands[i].letter == *k) {
                printf("%s%s", k == kind ? "" : ", ", operands[i].text);
            }
        }
    }
}

/* What the dtypes column of ops.def stands for. */
static int takes(const char *column, const dtype_row *d)
{
    static const char *const names[] = {"NONE", "ANY", "NUM", "SIG", "FLT", "INT", "BIT", "TRU", "BOOL", "WORD", "BYTE"};
    static const psy_op_dtypes values[] = {PSY_TAKES_NONE, PSY_TAKES_ANY,  PSY_TAKES_NUM, PSY_TAKES_SIG,
                                           PSY_TAKES_FLT,  PSY_TAKES_INT,  PSY_TAKES_BIT, PSY_TAKES_TRU,
                                           PSY_TAKES_BOOL, PSY_TAKES_WORD, PSY_TAKES_BYTE};
    psy_op_info info = {.name = column};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], column) == 0) {
            info.dtypes = values[i];
        }
    }
    return psy__op_takes(&info, (unsigned)d->code);
}

static void put_dtypes(const char *column)
{
    if (strcmp(column, "ANY") == 0) {
        printf("any");
        return;
    }
    const char *space = "";
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (takes(column, &dtypes[i])) {
            printf("%s%s", space, dtypes[i].text);
            space = " ";
        }
    }
}

/* Table cells: a | would end them. */
static void put_cell(const char *text)
{
    for (; *text; text++) {
        printf(*text == '|' ? "\\|" : "%c", *text);
    }
}

static int has_expression(const op_row *op) { return op->c_float[0] != '\0' && strcmp(op->c_float, "X") != 0; }

/* How many operations there were. */
static size_t put_class(const char *name)
{
    size_t expressions = 0, count = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].class_, name) == 0) {
            const op_row *op = &ops[i];
            printf("| `%s` | %d | ", op->text, op->code);
            put_operands(op->signature);
            printf(" | ");
            put_dtypes(op->dtypes);
            printf(" | ");
            if (op->tolerance) {
                printf("%d", op->tolerance);
            } else {
                printf("exact");
            }
            printf(" | ");
            put_cell(op->doc);
            printf(" |\n");
            expressions += has_expression(op) != 0;
            count++;
        }
    }
    if (expressions == 0) {
        return count;
    }
    printf("\n| op | floats | integers |\n|---|---|---|\n");
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].class_, name) == 0) {
            printf("| `%s` | `%s` |", ops[i].text, ops[i].c_float);
            printf(strcmp(ops[i].c_int, "X") == 0 ? " |\n" : " `%s` |\n", ops[i].c_int);
        }
    }
    return count;
}

int main(void)
{
    printf(
        "# Operations\n\n"
        "Made from `runtime/isa/ops.def` by `make update-docs`; `make check` says when it is out of date.\n\n"
        "How instructions are written and encoded is in [bytecode.md](bytecode.md). **Error** is the allowed difference from\n"
        "the result computed in f64, relative to max(1, |exact|), in units of the dtype's epsilon; for reductions, times the\n"
        "binary logarithm of the reduced length and relative to max(1, the sum of the magnitudes of what is added). Engines "
        "may\n"
        "sum in any order within it.\n");
    size_t written = 0;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        printf("\n## %s\n%s\n\n| op | code | operands | dtypes | error | |\n|---|---|---|---|---|---|\n", classes[i].title,
               classes[i].text);
        written += put_class(classes[i].name);
    }
    printf("\n## Dtypes\nThe ones that compute may be the type of an operation; the others are stored, and `cast` turns them "
           "into one.\n\n"
           "| dtype | code | bytes | class | computes |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        const dtype_row *d = &dtypes[i];
        printf("| `%s` | %d | %d | %s | %s |\n", d->text, d->code, d->bytes,
               strcmp(d->class_, "BOOL") == 0   ? "truth value"
               : strcmp(d->class_, "SINT") == 0 ? "signed integer"
               : strcmp(d->class_, "UINT") == 0 ? "unsigned integer"
                                                : "float",
               d->computes ? "yes" : "");
    }
    if (written != sizeof ops / sizeof ops[0]) {
        fprintf(stderr, "opsdoc: an operation has a class that is not described here\n");
        return 1;
    }
    return fflush(stdout) != 0 || ferror(stdout);
}
