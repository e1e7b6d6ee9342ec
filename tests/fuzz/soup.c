/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/soup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/words.h"

uint64_t soup_state;

size_t soup_pick(size_t n)
{
    soup_state ^= soup_state << 13;
    soup_state ^= soup_state >> 7;
    soup_state ^= soup_state << 17;
    return n ? (size_t)(soup_state >> 11) % n : 0;
}

void soup_insert(soup_input *in, size_t at, const uint8_t *bytes, size_t n)
{
    n = n > INPUT_BYTES_MAX - in->n ? INPUT_BYTES_MAX - in->n : n;
    memmove(in->bytes + at + n, in->bytes + at, in->n - at);
    memcpy(in->bytes + at, bytes, n);
    in->n += n;
}

const char *soup_word(void) { return words_at(soup_pick(words_count())); }

void soup_tokens(soup_input *in)
{
    in->n = 0;
    for (size_t n = soup_pick(200); n > 0; n--) {
        const char *word = soup_word();
        soup_insert(in, in->n, (const uint8_t *)word, strlen(word));
        soup_insert(in, in->n, (const uint8_t *)" ", 1);
    }
}

static void add(soup_input *in, const char *text) { soup_insert(in, in->n, (const uint8_t *)text, strlen(text)); }

void soup_expressions(soup_input *in)
{
    static const char *const start =
        "import \"messages.psy\"\nresident words: f32[N, DIM] replicated\n"
        "resident rows: f32[M, DIM] split M\n"
        "param w: f32[H, DIM] = \"model.safetensors\"[\"layer.0.weight\"]\nfn f(x: f32[D], y: f32[D]) -> f32[D] = x + y\n"
        "pipeline p(q: Query) -> Number {\n";
    static const char *const operands[] = {"q.vector",
                                           "q.scale",
                                           "q.k",
                                           "q.small",
                                           "q.flag",
                                           "q.half",
                                           "q.key",
                                           "words",
                                           "rows",
                                           "words[0]",
                                           "2",
                                           "-1",
                                           "0.5",
                                           "true",
                                           "N",
                                           "DIM",
                                           "iota(8)",
                                           "rows @ q.vector",
                                           "words @ q.vector",
                                           "q.vector > 0",
                                           "[2, 4]",
                                           "w",
                                           "H",
                                           "einsum(\"ij,kj->ik\", w, words)",
                                           "\"ij,j->i\"",
                                           "\"...i,i\"",
                                           "x0"};
    static const char *const operators[] = {" + ",  " - ",  " * ",  " / ", " % ",  " @ ", " & ",  " | ",  " ^ ",  " << ",
                                            " >> ", " == ", " != ", " < ", " <= ", " > ", " >= ", " && ", " || ", " |> "};
    static const char *const functions[] = {
        "sum",    "max",       "argmin", "topk",  "sort",      "argsort",   "softmax",     "cumsum", "reshape", "transpose",
        "expand", "broadcast", "concat", "stack", "pad",       "gather",    "scatter_add", "outer",  "select",  "clamp",
        "norm",   "mean",      "any",    "all",   "logsumexp", "layernorm", "one_hot",     "iota",   "dot",     "f",
        "f16",    "u8",        "i64",    "f64",   "bool",      "sqrt",      "size",        "einsum"};
    static const char *const endings[] = {"",     "",      "",        "",          "[0]",       "[-1]",     "[1..3]",
                                          "[..]", "[q.k]", "[.., 1]", "[iota(2)]", "[..N - 1]", "[0..8..2]"};
    static const char *const named[] = {"",
                                        "",
                                        "",
                                        "",
                                        ", axis: 0",
                                        ", axis: -1",
                                        ", keep: true",
                                        ", k: 2",
                                        ", descending: true",
                                        ", before: 1",
                                        ", axis: 1, keep: true"};
#define PICK(list) list[soup_pick(sizeof list / sizeof list[0])]
    in->n = 0;
    add(in, start);
    for (unsigned line = 0, lines = 1 + (unsigned)soup_pick(6); line < lines; line++) {
        char let[24];
        unsigned open = 0;
        snprintf(let, sizeof let, "let x%u = ", line);
        add(in, let);
        for (size_t n = 1 + soup_pick(5); n > 0; n--) {
            switch (soup_pick(6)) {
            case 0:
                add(in, "if "), add(in, PICK(operands)), add(in, " { "), add(in, PICK(operands)), add(in, " } else { "),
                    add(in, PICK(operands)), add(in, " }");
                break;
            case 1:
            case 2: add(in, PICK(functions)), add(in, "("), open++; /* fall through */
            default: add(in, soup_pick(9) ? "" : soup_pick(2) ? "-" : "!"), add(in, PICK(operands)); break;
            }
            add(in, PICK(endings));
            while (open && soup_pick(2)) {
                add(in, soup_pick(2) ? ", " : ""), add(in, in->bytes[in->n - 1] == ' ' ? PICK(operands) : ""),
                    add(in, PICK(named)), add(in, ")"), open--;
            }
            add(in, n > 1 ? PICK(operators) : "");
        }
        while (open--) {
            add(in, PICK(named)), add(in, ")");
        }
        add(in, "\n");
    }
    add(in, "Number { value: f32(x0");
    add(in, soup_pick(3) ? ") } }\n" : "[0]) } }\n");
#undef PICK
}
