/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of message schemas. */
%code top {
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
}
%code requires {
#include <string.h>

#include "compiler/psy_ast.h"
}
%define api.pure full
%define api.prefix {psc_psy_}
%define api.location.type {psc_span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {void *scanner}
%parse-param {psc_syntax *syntax}

%union {
    psc_name name;
    uint64_t integer;
    double real;
    psy_expr *expr;
    psy_type_node type;
    psy_field_node *field;
    psy_block_node *block;
    psy_attribute attribute;
}

%token <name> NAMESPACE "namespace" CONST "const" MESSAGE "message" IMPORT "import"
%token <name> NAME "a name" STRING "a text"
%token <integer> INTEGER "a number"
%token <real> REAL "a fraction"
%token AT_MOST "<="
%token END 0 "the end of the file"

%type <expr> expr term factor default
%type <type> type bounded
%type <field> field
%type <block> fields marks
%type <attribute> attribute
%type <name> base dotted

%code {
#define YYLLOC_DEFAULT(current, rhs, n) PSC_LOCATION(current, rhs, n)
#define YYMAXDEPTH 2000
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

int psc_psy_lex(PSC_PSY_STYPE *value, psc_span *span, void *scanner);
int psc_psy_lex_init_extra(psc_syntax *syntax, void **scanner);
void *psc_psy__scan_bytes(const char *bytes, int n, void *scanner);
int psc_psy_lex_destroy(void *scanner);

static void psc_psy_error(const psc_span *span, void *scanner, psc_syntax *syntax, const char *message)
{
    (void)scanner;
    (void)message; /* "memory exhausted": the parser's stack */
    psc_error(syntax->diags, PSC_E_LIMIT, *span, "this nests too deep");
}

static psy_file *file(psc_syntax *s) { return s->result; }

static psy_expr *expr_new(psc_syntax *s, psy_expr_kind kind, psc_span span, psy_expr *left, psy_expr *right)
{
    psy_expr *e = psc_new(s->arena, psy_expr);
    e->kind = kind;
    e->span = span;
    e->left = left;
    e->right = right;
    e->depth = psc_syntax_depth(s, span, left ? left->depth : 0, right ? right->depth : 0);
    return e;
}

static psy_expr *binary(psc_syntax *s, psc_span span, char op, psy_expr *left, psy_expr *right)
{
    psy_expr *e = expr_new(s, PSY_EXPR_BINARY, span, left, right);
    e->op = op;
    return e;
}

static psy_type_node bound(psy_type_node type, psy_bound_kind kind, psc_span span, psy_expr *count)
{
    if (type.bound_count < PSY_BOUNDS_MAX) {
        type.bounds[type.bound_count] = (psy_bound){kind, span, count};
    }
    type.bound_count++;
    return type;
}

/* `a.b` and `c`. What is longer than all names are names nothing: it need not grow. */
static psc_name dotted(psc_syntax *s, psc_name before, psc_name after)
{
    before.text = strlen(before.text) > PSC_NAMESPACE_MAX + 1 + PSC_NAME_MAX ? before.text
                                                                              : psc_format(s->arena, "%s.%s", before.text, after.text);
    before.span = psc_span_join(before.span, after.span);
    return before;
}

static void take_namespace(psc_syntax *s, psc_span span)
{
    if (file(s)->space_span.source) {
        psc_note(psc_error(s->diags, PSC_E_DUPLICATE, span, "the schema has a namespace already"), file(s)->space_span, "it is here");
        return;
    }
    file(s)->space_span = span;
}

static psy_field_node *field_new(psc_syntax *s, psc_name name)
{
    psy_field_node *f = psc_new(s->arena, psy_field_node);
    f->name = name;
    return f;
}

static psy_block_node *block_of(psy_block_node *fields, psc_name word, psc_name name, psc_name base, const psy_block_node *attributes)
{
    fields->word = word;
    fields->name = name;
    fields->name.doc = word.doc;
    fields->base = base;
    fields->attributes = attributes->attributes;
    return fields;
}

/* Words that start no declaration may be slips. */
static void take_block(psc_syntax *s, psy_block_node *block)
{
    static const char *const words[] = {"message", "struct", "enum", "flags", "namespace", "const", "import"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(block->word.text, words[i]) == 0) {
            psc_push(s->arena, &file(s)->blocks, block);
            return;
        }
    }
    if (strcmp(block->word.text, "union") == 0) {
        psc_help(psc_error(s->diags, PSC_E_SYNTAX, block->word.span, "a union is the type of a field"),
                 "write `source: union { url: string; id: u64; };` in a message");
        return;
    }
    psc_diagnostic *d = psc_error(s->diags, PSC_E_SYNTAX, block->word.span, "`%s` starts no declaration", block->word.text);
    psc_help_nearest(d, block->word.text, words, sizeof words / sizeof words[0]);
}
}

%%
schema: %empty | schema item;

item: NAMESPACE space ';'           { take_namespace(syntax, @2); }
    | CONST NAME '=' expr ';'       { $NAME.doc = $CONST.doc;
                                      psy_const_node c = {$NAME, $expr};
                                      psc_push(syntax->arena, &file(syntax)->constants, c); }
    | MESSAGE NAME marks '{' fields '}'
                                    { take_block(syntax, block_of($fields, $MESSAGE, $NAME, (psc_name){0}, $marks)); }
    | NAME NAME base marks '{' fields '}'
                                    { take_block(syntax, block_of($fields, $1, $2, $base, $marks)); }
    | MESSAGE NAME marks '{' fields error '}' { yyerrok; }
    | NAME NAME base marks '{' fields error '}' { yyerrok; }
    | IMPORT STRING ';'             { psc_push(syntax->arena, &file(syntax)->imports, $STRING); }
    | ';'
    | error ';'
    | error '}';

space: NAME                         { psc_push(syntax->arena, &file(syntax)->space, $NAME); }
    | space '.' NAME                { psc_push(syntax->arena, &file(syntax)->space, $NAME); };

base: %empty                        { $$ = (psc_name){0}; }
    | ':' NAME                      { $$ = $NAME; };

/* Attributes of a declaration: a block that has nothing else. */
marks: %empty                       { $$ = psc_new(syntax->arena, psy_block_node); }
    | marks attribute               { $$ = $1; psc_push(syntax->arena, &$$->attributes, $attribute); };

fields: %empty                      { $$ = psc_new(syntax->arena, psy_block_node); }
    | fields field ';'              { $$ = $1; psc_push(syntax->arena, &$$->fields, $field); }
    | fields error ';'              { $$ = $1; yyerrok; };

field: NAME                         { $$ = field_new(syntax, $NAME); }
    | NAME ':' type                 { $$ = field_new(syntax, $NAME); $$->type = $type; }
    | field '=' default             { $$ = $1;
                                      if ($$->default_) {
                                          psc_error(syntax->diags, PSC_E_FIELD, @3, "field `%s` has two defaults", $$->name.text);
                                      }
                                      $$->default_ = $default; }
    | field attribute               { $$ = $1; psc_push(syntax->arena, &$$->attributes, $attribute); };

attribute: '@' NAME                 { $$ = (psy_attribute){$NAME, NULL}; }
    | '@' NAME '(' default ')'      { $$ = (psy_attribute){$NAME, $default}; };

default: expr                       { $$ = $1; }
    | STRING                        { $$ = expr_new(syntax, PSY_EXPR_TEXT, @$, NULL, NULL); $$->name = $1.text; };

type: bounded                       { $$ = $1; $$.span = @$; }
    | bounded '?'                   { $$ = $1; $$.span = @$; $$.optional = @2; }
    | NAME '{' fields '}'           { $$ = (psy_type_node){.span = @NAME, .name = $NAME, .block = $fields}; };

bounded: dotted                     { $$ = (psy_type_node){.name = $dotted}; }
    | bounded '[' expr ']'          { $$ = bound($1, PSY_BOUND_EXACT, psc_span_join(@2, @4), $expr); }
    | bounded '[' AT_MOST expr ']'  { $$ = bound($1, PSY_BOUND_MOST, psc_span_join(@2, @5), $expr); }
    | bounded '[' ']'               { $$ = bound($1, PSY_BOUND_OPEN, psc_span_join(@2, @3), NULL); };

/* A name, of another file with its namespace. */
dotted: NAME                        { $$ = $NAME; }
    | dotted '.' NAME               { $$ = dotted(syntax, $1, $NAME); };

expr: term
    | expr '+' term                 { $$ = binary(syntax, @$, '+', $1, $3); }
    | expr '-' term                 { $$ = binary(syntax, @$, '-', $1, $3); };
term: factor
    | term '*' factor               { $$ = binary(syntax, @$, '*', $1, $3); }
    | term '/' factor               { $$ = binary(syntax, @$, '/', $1, $3); };
factor: INTEGER                     { $$ = expr_new(syntax, PSY_EXPR_INTEGER, @$, NULL, NULL); $$->integer = $1; }
    | REAL                          { $$ = expr_new(syntax, PSY_EXPR_REAL, @$, NULL, NULL); $$->real = $1; }
    | dotted                        { $$ = expr_new(syntax, PSY_EXPR_NAME, @$, NULL, NULL); $$->name = $1.text; }
    | '-' factor                    { $$ = expr_new(syntax, PSY_EXPR_NEGATE, @$, $2, NULL); }
    | '(' expr ')'                  { $$ = $2; };
%%

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, psc_syntax *syntax)
{
    (void)scanner;
    PSC_SYNTAX_REPORT(context, syntax, psc_syntax_error);
    return 0;
}

psy_file *psc_psy_parse_file(psc_syntax *syntax)
{
    psy_file *f = psc_new(syntax->arena, psy_file);
    void *scanner;
    syntax->result = f;
    syntax->semicolons = true;
    if (psc_syntax_begin(syntax) && psc_psy_lex_init_extra(syntax, &scanner) == 0) {
        psc_psy__scan_bytes(syntax->source->text, (int)syntax->source->bytes, scanner);
        psc_psy_parse(scanner, syntax);
        psc_psy_lex_destroy(scanner);
    }
    return f;
}

void psc_psy_words(psc_syntax *syntax, psc_spans *words)
{
    PSC_PSY_STYPE value;
    psc_span at;
    void *scanner;
    if (psc_syntax_begin(syntax) && psc_psy_lex_init_extra(syntax, &scanner) == 0) {
        psc_psy__scan_bytes(syntax->source->text, (int)syntax->source->bytes, scanner);
        while (psc_psy_lex(&value, &at, scanner) > 0) {
            psc_push(syntax->arena, words, at);
        }
        psc_psy_lex_destroy(scanner);
    }
}
