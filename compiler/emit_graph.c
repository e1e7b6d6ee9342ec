/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as a graph, for `dot`. */
#include <string.h>

#include "emit.h"
#include "passes.h"

const char *const psc_emit_names[PSC_EMIT_COUNT] = {"header", "bytecode", "asm", "spirv", "glsl", "c", "graph", "json", "ir", "fuzz"};

const char *psc_part_text(const psc_pipeline *pipeline, const psc_program *program)
{
    return program == pipeline->merge                ? "merge, on the shard that answers"
           : pipeline->merge                         ? "on every shard"
           : pipeline->record.route == PSY_ROUTE_KEY ? "on the shard that owns the key"
                                                     : "on one shard";
}

bool psc_is_computed(const psc_value *v)
{
    return v->op != PSC_OP_LABELS && !psc_ir_is_store(v) && v->op != PSY_OP_CONST && psc_ir_class(v) != PSY_CLASS_SIZE &&
           !psc_ir_is_view(v);
}

typedef struct graph {
    psc_unit *unit;
    FILE *to;
    size_t pipeline;
    bool merge;
} graph;

/* A name for the value, unique in the file. */
static const char *node(const graph *g, const psc_value *v)
{
    return psc_format(g->unit->arena, "p%zu%c%u", g->pipeline, g->merge ? 'm' : 's', v->id);
}

/* Names are words and numbers; what stands in a label is escaped all the same. */
static void put_text(const graph *g, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', g->to);
        }
        fputc(*text, g->to);
    }
}

static const char *shape(const graph *g, const psc_value *v)
{
    return v->rank ? psc_shape_text(g->unit, v->dims, v->rank) : "";
}

static const char *field_name(const graph *g, uint32_t type, uint32_t field)
{
    return type == PSY_NONE ? "?" : g->unit->types.at[type].fields[field].name;
}

/* What the value is, in the user's words. */
static const char *title(const graph *g, const psc_program *p, const psc_value *v)
{
    psc_arena *arena = g->unit->arena;
    double number;
    uint64_t bits;
    switch (v->op) {
    case PSC_OP_LABELS: return "positions";
    case PSY_OP_LOAD: return psc_format(arena, "message.%s", field_name(g, p->input_type, v->index));
    case PSY_OP_COUNT:
    case PSY_OP_LENGTHS:
        return psc_format(arena, "%s of message.%s", v->op == PSY_OP_COUNT ? "count" : "lengths",
                          field_name(g, p->input_type, v->index));
    case PSY_OP_PARTIAL: return psc_format(arena, "%s of all shards", field_name(g, p->partial_type, v->index));
    case PSY_OP_STORE_LENGTHS: return psc_format(arena, "lengths of answer.%s", field_name(g, p->output_type, v->index));
    case PSY_OP_STORE:
        return psc_format(arena, "%s.%s",
                          p->output_type == g->unit->pipelines.at[g->pipeline]->record.partial_type ? "partial" : "answer",
                          field_name(g, p->output_type, v->index));
    case PSY_OP_RESIDENT:
    case PSY_OP_LOOKUP: return psc_format(arena, "resident %s", g->unit->residents.at[v->index].node->name.text);
    case PSY_OP_CONST:
        if (v->rank) {
            return psc_format(arena, "param %s", g->unit->params.at[v->index].node->name.text);
        }
        if (psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT) {
            bits = psc_fold_cast(v->dtype, PSY_F64, v->bits);
            memcpy(&number, &bits, sizeof number);
            return psc_format(arena, "%g", number);
        }
        return psc_format(arena, "%lld", (long long)psc_fold_cast(v->dtype, PSY_I64, v->bits));
    case PSY_OP_TOPK: return psc_format(arena, "topk %u", v->index);
    case PSY_OP_BASE: return psc_format(arena, "first row of %s", psc_dim_text(g->unit, v->index));
    default: {
        const char *what = psc_dump_index(g->unit, v), *name = psy__op_info(v->op)->name;
        return *what ? psc_format(arena, "%s %s", name, what) : name;
    }
    }
}

static const char *look(const psc_value *v)
{
    bool resident = v->op == PSY_OP_RESIDENT || v->op == PSY_OP_LOOKUP || (v->op == PSY_OP_CONST && v->rank);
    bool is_size = psc_ir_class(v) == PSY_CLASS_SIZE;
    return psy__op_reads_message(v->op) && !resident ? "fillcolor=\"#dbeafe\""
           : resident                                ? "fillcolor=\"#dcfce7\" shape=cylinder"
           : psc_ir_is_store(v)                      ? "fillcolor=\"#ffedd5\""
           : v->op == PSY_OP_CONST || is_size        ? "shape=plaintext style=\"\""
           : psc_is_computed(v)                      ? "fillcolor=\"#ffffff\""
                                                     : "fillcolor=\"#f3f4f6\"";
}

static void put_node(const graph *g, const psc_program *p, const psc_value *v, const char *indent)
{
    fprintf(g->to, "%s%s [label=\"", indent, node(g, v));
    put_text(g, title(g, p, v));
    bool named = v->name && v->op != PSY_OP_LOAD && v->op != PSY_OP_RESIDENT && !psc_ir_is_store(v) && v->op != PSY_OP_CONST;
    if (named) {
        fputs("\\n= ", g->to);
        put_text(g, v->name);
    }
    if (!psc_ir_is_store(v) && (v->op != PSY_OP_CONST || v->rank)) {
        fprintf(g->to, "\\n%s%s", psy__dtype_name(v->dtype), shape(g, v));
    }
    fprintf(g->to, "\" %s%s];\n", look(v),
            v->batched || psc_ir_is_store(v) || !psc_is_computed(v) ? "" : " style=\"filled,rounded,dashed\"");
}

static void put_program(const graph *g, const psc_pipeline *pipeline, const psc_program *p)
{
    char part = g->merge ? 'm' : 's';
    fprintf(g->to,
            "  subgraph cluster_p%zu%c {\n    label=\"pipeline %s: %s\" style=\"rounded\" color=\"#6b7280\" fontsize=14;\n",
            g->pipeline, part, pipeline->name, psc_part_text(pipeline, p));
    uint32_t open = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        if (open && v->group != open) {
            fputs("    }\n", g->to);
        }
        if (v->group && v->group != open) {
            const psc_region *r = &p->regions.at[v->group - 1];
            fprintf(g->to, "    subgraph cluster_p%zu%c_%u {\n", g->pipeline, part, v->group);
            fputs("      label=\"one kernel over ", g->to);
            put_text(g, psc_shape_text(g->unit, r->dims, r->rank));
            fprintf(g->to, "%s\" style=\"filled,rounded\" color=\"#f59e0b\" fillcolor=\"#fef9c3\" fontsize=11;\n",
                    r->reduces ? ", reducing the last" : "");
        }
        open = v->group;
        put_node(g, p, v, open ? "      " : "    ");
    }
    fputs(open ? "    }\n  }\n" : "  }\n", g->to);
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                fprintf(g->to, "  %s -> %s;\n", node(g, v->operands[k]), node(g, v));
            }
        }
    }
}

/* From what a shard stores to what the merge reads of it. */
static void put_partials(graph *g, const psc_program *shard, const psc_program *merge)
{
    for (size_t i = 0; i < shard->values.count; i++) {
        for (size_t k = 0; k < merge->values.count; k++) {
            const psc_value *a = shard->values.at[i], *b = merge->values.at[k];
            if (a->op == PSY_OP_STORE && b->op == PSY_OP_PARTIAL && a->index == b->index) {
                g->merge = false;
                fprintf(g->to, "  %s -> ", node(g, a));
                g->merge = true;
                fprintf(g->to, "%s [style=dashed penwidth=2 color=\"#dc2626\"];\n", node(g, b));
            }
        }
    }
}

void psc_emit_graph(psc_unit *unit, FILE *to)
{
    graph graphing = {.unit = unit, .to = to}, *g = &graphing;
    fputs("digraph program {\n"
          "  rankdir=TB;\n"
          "  node [shape=box style=\"filled,rounded\" fontname=\"Helvetica\" fontsize=11 color=\"#374151\"];\n"
          "  edge [color=\"#374151\" arrowsize=0.7];\n"
          "  graph [fontname=\"Helvetica\"];\n",
          to);
    for (; g->pipeline < unit->pipelines.count; g->pipeline++) {
        const psc_pipeline *p = unit->pipelines.at[g->pipeline];
        g->merge = false;
        put_program(g, p, p->shard);
        if (p->merge) {
            g->merge = true;
            put_program(g, p, p->merge);
            put_partials(g, p->shard, p->merge);
        }
    }
    fputs("}\n", to);
}
