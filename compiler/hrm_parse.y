/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of Harmonics. */
%code top {
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
}
%code requires {
#include <string.h>

#include "compiler/hrm_ast.h"
}
%define api.pure full
%define api.prefix {psc_hrm_}
%define api.location.type {psc_span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {void *scanner}
%parse-param {psc_syntax *syntax}

/* A bracket behind a name calls it, also where the messages of a pipeline could begin. */
%precedence ALONE
%precedence '('

%union {
    psc_name name;
    uint64_t integer;
    double real;
    hrm_expr *expr;
    hrm_type *type;
    hrm_parameters *parameters;
    hrm_arguments *arguments;
    hrm_argument argument;
    hrm_indices *indices;
    hrm_index index;
    hrm_let *let;
    hrm_attributes *attributes;
    hrm_pipeline *pipeline;
    hrm_results *results;
    hrm_records *records;
    hrm_guards *guards;
    hrm_guard guard;
}

%token IMPORT "import" CONST "const" RESIDENT "resident" PARAM "param" FN "fn" PIPELINE "pipeline" LET "let" FOR "for"
%token ARROW "->" PIPE "|>" DOTS ".." IF "if" ELSE "else"
%token EQ "==" NE "!=" LE "<=" GE ">=" AND "&&" OR "||" SHL "<<" SHR ">>" OTHERWISE "??"
%token <name> NAME "a name" STRING "a text"
%token <integer> INTEGER "a number" BOOLEAN "a truth value"
%token <real> REAL "a fraction"
%token END 0 "the end of the file"

%type <expr> expr otherwise choice cases either both test bits xor and shift sum term unary postfix primary list record
%type <indices> indices
%type <index> index
%type <type> type dims
%type <parameters> parameters parameter_list
%type <arguments> arguments argument_list
%type <argument> argument
%type <name> placement tensor
%type <attributes> attributes marks
%type <let> let names
%type <pipeline> body
%type <results> results result_list
%type <records> records record_list
%type <guards> guards guard_list
%type <guard> guard
%type <expr> member

%code {
#define YYLLOC_DEFAULT(current, rhs, n) PSC_LOCATION(current, rhs, n)
#define YYMAXDEPTH 4000
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

int psc_hrm_lex(PSC_HRM_STYPE *value, psc_span *span, void *scanner);
int psc_hrm_lex_init_extra(psc_syntax *syntax, void **scanner);
void *psc_hrm__scan_bytes(const char *bytes, int n, void *scanner);
int psc_hrm_lex_destroy(void *scanner);

static void psc_hrm_error(const psc_span *span, void *scanner, psc_syntax *syntax, const char *message)
{
    (void)scanner;
    (void)message; /* "memory exhausted": the parser's stack */
    psc_error(syntax->diags, PSC_E_LIMIT, *span, "this nests too deep");
}

static hrm_file *file(psc_syntax *s) { return s->result; }

static hrm_expr *make(psc_syntax *s, hrm_expr_kind kind, psc_span span, hrm_expr *left, hrm_expr *right)
{
    hrm_expr *e = psc_new(s->arena, hrm_expr);
    e->kind = kind;
    e->span = span;
    e->left = left;
    e->right = right;
    e->depth = psc_syntax_depth(s, span, left ? left->depth : 0, right ? right->depth : 0);
    return e;
}

static hrm_expr *binary(psc_syntax *s, psc_span span, int op, hrm_expr *left, hrm_expr *right)
{
    hrm_expr *e = make(s, HRM_BINARY, span, left, right);
    e->op = op;
    return e;
}

static hrm_expr *unary(psc_syntax *s, psc_span span, int op, hrm_expr *operand)
{
    hrm_expr *e = make(s, HRM_UNARY, span, operand, NULL);
    e->op = op;
    return e;
}

/* name(first, arguments ...); `first` may be NULL. */
static hrm_expr *call(psc_syntax *s, psc_span span, psc_name name, hrm_expr *first, const hrm_arguments *arguments)
{
    hrm_expr *e = make(s, HRM_CALL, span, NULL, NULL);
    unsigned deepest = first ? first->depth : 0;
    e->name = name;
    if (first) {
        hrm_argument a = {{NULL, first->span, NULL}, first};
        psc_push(s->arena, &e->arguments, a);
    }
    for (size_t i = 0; arguments && i < arguments->count; i++) {
        unsigned depth = arguments->at[i].value->depth;
        deepest = depth > deepest ? depth : deepest;
        psc_push(s->arena, &e->arguments, arguments->at[i]);
    }
    e->depth = psc_syntax_depth(s, span, deepest, 0);
    return e;
}

static hrm_expr *choice(psc_syntax *s, psc_span span, hrm_expr *condition, hrm_expr *yes, hrm_expr *no)
{
    hrm_arguments rest = {0};
    hrm_argument a[2] = {{{NULL, yes->span, NULL}, yes}, {{NULL, no->span, NULL}, no}};
    psc_push(s->arena, &rest, a[0]);
    psc_push(s->arena, &rest, a[1]);
    return call(s, span, (psc_name){"select", span, NULL}, condition, &rest);
}

static hrm_expr *indexed(psc_syntax *s, psc_span span, hrm_expr *left, const hrm_indices *indices)
{
    hrm_expr *e = make(s, HRM_INDEX, span, left, NULL);
    unsigned deepest = left->depth;
    e->indices = *indices;
    for (size_t i = 0; i < indices->count; i++) {
        const hrm_expr *const parts[] = {indices->at[i].from, indices->at[i].to, indices->at[i].step};
        for (size_t k = 0; k < 3; k++) {
            deepest = parts[k] && parts[k]->depth > deepest ? parts[k]->depth : deepest;
        }
    }
    e->depth = psc_syntax_depth(s, span, deepest, 0);
    return e;
}
}

%%
file: %empty | file item | file ';' | file error item | file error END;

item: IMPORT STRING                     { hrm_import i = {$STRING.text, @STRING}; psc_push(syntax->arena, &file(syntax)->imports, i); }
    | CONST NAME '=' expr               { hrm_const c = {$NAME, $expr}; psc_push(syntax->arena, &file(syntax)->constants, c); }
    | RESIDENT NAME ':' type            { hrm_resident r = {.name = $NAME, .type = *$type};
                                          psc_push(syntax->arena, &file(syntax)->residents, r); }
    | RESIDENT NAME ':' type NAME[how]  { hrm_resident r = {.name = $2, .type = *$type, .placement = $how};
                                          psc_push(syntax->arena, &file(syntax)->residents, r); }
    | RESIDENT NAME ':' type NAME[how] NAME[by]
                                        { hrm_resident r = {.name = $2, .type = *$type, .placement = $how, .by = $by};
                                          psc_push(syntax->arena, &file(syntax)->residents, r); }
    | PARAM NAME ':' type placement[before] '=' STRING tensor placement[behind]
                                        { hrm_param p = {$NAME, *$type, $STRING, $tensor, $before.text ? $before : $behind};
                                          psc_push(syntax->arena, &file(syntax)->params, p); }
    | FN NAME '(' parameters ')' ARROW type '=' expr
                                        { hrm_fn *f = psc_new(syntax->arena, hrm_fn);
                                          *f = (hrm_fn){$NAME, *$parameters, *$type, $expr};
                                          psc_push(syntax->arena, &file(syntax)->fns, f); }
    | PIPELINE attributes NAME[name] '(' parameters ')' ARROW results guards '{' body records semicolons '}'
                                        { $body->attributes = *$attributes; $body->name = $name; $body->parameters = *$parameters; $body->results = *$results;
                                          $body->result_span = @results; $body->guards = *$guards; $body->records = *$records;
                                          $body->record_span = @records; $body->span = @$;
                                          psc_push(syntax->arena, &file(syntax)->pipelines, $body); };

attributes: %empty                      { $$ = psc_new(syntax->arena, hrm_attributes); }
    | attributes '@' NAME               { $$ = $1; hrm_attribute a = {$NAME, NULL}; psc_push(syntax->arena, $$, a); }
    | attributes '@' NAME '(' expr ')'  { $$ = $1; hrm_attribute a = {$NAME, $expr}; psc_push(syntax->arena, $$, a); };
marks: %empty                           { $$ = psc_new(syntax->arena, hrm_attributes); }
    | marks '@' NAME                    { $$ = $1; hrm_attribute a = {$NAME, NULL}; psc_push(syntax->arena, $$, a); };

results: NAME                           { $$ = psc_new(syntax->arena, hrm_results);
                                          hrm_result r = {{NULL, @$, NULL}, $1}; psc_push(syntax->arena, $$, r); }
    | '(' result_list ')'               { $$ = $2; }
    | '(' result_list ',' ')'           { $$ = $2; };
result_list: NAME ':' NAME              { $$ = psc_new(syntax->arena, hrm_results);
                                          hrm_result r = {$1, $3}; psc_push(syntax->arena, $$, r); }
    | result_list ',' NAME ':' NAME     { $$ = $1; hrm_result r = {$3, $5}; psc_push(syntax->arena, $$, r); };

records: record                         { $$ = psc_new(syntax->arena, hrm_records); psc_push(syntax->arena, $$, $1); }
    | '(' record_list ')'               { $$ = $2; }
    | '(' record_list ',' ')'           { $$ = $2; };
record_list: record                     { $$ = psc_new(syntax->arena, hrm_records); psc_push(syntax->arena, $$, $1); }
    | record_list ',' record            { $$ = $1; psc_push(syntax->arena, $$, $3); };
record: NAME '{' arguments '}'          { $$ = call(syntax, @$, $NAME, NULL, $arguments); $$->kind = HRM_RECORD; };

placement: %empty                       { $$ = (psc_name){NULL, @$, NULL}; }
    | NAME
    | NAME NAME                         { $$ = $1; };

guards: %empty                          { $$ = psc_new(syntax->arena, hrm_guards); }
    | FOR guard_list                    { $$ = $2; };
guard_list: guard                       { $$ = psc_new(syntax->arena, hrm_guards); psc_push(syntax->arena, $$, $1); }
    | guard_list ',' guard              { $$ = $1; psc_push(syntax->arena, $$, $3); };
guard: member ':' type                  { $$ = (hrm_guard){.field = $1}; psc_push(syntax->arena, &$$.types, *$3); }
    | guard '|' type                    { $$ = $1; psc_push(syntax->arena, &$$.types, *$3); };
member: NAME                            { $$ = make(syntax, HRM_NAME, @$, NULL, NULL); $$->name = $1; }
    | member '.' NAME                   { $$ = make(syntax, HRM_MEMBER, @$, $1, NULL); $$->name = $NAME; };

semicolons: %empty | semicolons ';';

body: %empty                            { $$ = psc_new(syntax->arena, hrm_pipeline); }
    | body let                          { $$ = $1; psc_push(syntax->arena, &$$->lets, $let); }
    | body ';'                          { $$ = $1; };

let: LET marks NAME '=' expr            { $$ = psc_new(syntax->arena, hrm_let); $$->value = $expr; $$->attributes = *$marks;
                                          psc_push(syntax->arena, &$$->names, $NAME); }
    | LET marks '(' names ')' '=' expr  { $$ = $names; $$->value = $expr; $$->attributes = *$marks; };
names: NAME                             { $$ = psc_new(syntax->arena, hrm_let); psc_push(syntax->arena, &$$->names, $NAME); }
    | names ',' NAME                    { $$ = $1; psc_push(syntax->arena, &$$->names, $NAME); };

parameters: %empty                      { $$ = psc_new(syntax->arena, hrm_parameters); }
    | parameter_list
    | parameter_list ','                { $$ = $1; };
parameter_list: NAME ':' type           { $$ = psc_new(syntax->arena, hrm_parameters);
                                          hrm_parameter p = {$NAME, *$type}; psc_push(syntax->arena, $$, p); }
    | parameter_list ',' NAME ':' type  { $$ = $1; hrm_parameter p = {$NAME, *$type}; psc_push(syntax->arena, $$, p); };

type: NAME                              { $$ = psc_new(syntax->arena, hrm_type); $$->dtype = $NAME; $$->span = @$; }
    | NAME '[' dims ']'                 { $$ = $dims; $$->dtype = $NAME; $$->span = @$; }
    | NAME '[' LE expr[most] ']'        { $$ = psc_new(syntax->arena, hrm_type); $$->dtype = $NAME; $$->most = $most; $$->span = @$; }
    | NAME '[' LE expr[most] ']' '[' dims ']'
                                        { $$ = $dims; $$->dtype = $NAME; $$->most = $most; $$->span = @$; };
dims: expr                              { $$ = psc_new(syntax->arena, hrm_type); psc_push(syntax->arena, &$$->dims, $expr); }
    | dims ',' expr                     { $$ = $1; psc_push(syntax->arena, &$$->dims, $expr); };
tensor: %empty                          { $$ = (psc_name){NULL, @$, NULL}; }
    | '[' STRING ']'                    { $$ = $STRING; };

expr: otherwise
    | expr PIPE NAME %prec ALONE        { $$ = call(syntax, @$, $NAME, $1, NULL); }
    | expr PIPE NAME '(' arguments ')'  { $$ = call(syntax, @$, $NAME, $1, $arguments); };
otherwise: choice
    | choice OTHERWISE otherwise        { $$ = binary(syntax, @$, HRM_OTHERWISE, $1, $3); };
choice: either | cases;
cases: IF otherwise[test] '{' expr[yes] '}' ELSE '{' expr[no] '}'
                                        { $$ = choice(syntax, @$, $test, $yes, $no); }
    | IF otherwise[test] '{' expr[yes] '}' ELSE cases[no]
                                        { $$ = choice(syntax, @$, $test, $yes, $no); };
either: both
    | either OR both                    { $$ = binary(syntax, @$, HRM_OR, $1, $3); };
both: test
    | both AND test                     { $$ = binary(syntax, @$, HRM_AND, $1, $3); };
test: bits
    | bits EQ bits                      { $$ = binary(syntax, @$, HRM_EQ, $1, $3); }
    | bits NE bits                      { $$ = binary(syntax, @$, HRM_NE, $1, $3); }
    | bits '<' bits                     { $$ = binary(syntax, @$, '<', $1, $3); }
    | bits LE bits                      { $$ = binary(syntax, @$, HRM_LE, $1, $3); }
    | bits '>' bits                     { $$ = binary(syntax, @$, '>', $1, $3); }
    | bits GE bits                      { $$ = binary(syntax, @$, HRM_GE, $1, $3); };
bits: xor
    | bits '|' xor                      { $$ = binary(syntax, @$, '|', $1, $3); };
xor: and
    | xor '^' and                       { $$ = binary(syntax, @$, '^', $1, $3); };
and: shift
    | and '&' shift                     { $$ = binary(syntax, @$, '&', $1, $3); };
shift: sum
    | shift SHL sum                     { $$ = binary(syntax, @$, HRM_SHL, $1, $3); }
    | shift SHR sum                     { $$ = binary(syntax, @$, HRM_SHR, $1, $3); };
sum: term
    | sum '+' term                      { $$ = binary(syntax, @$, '+', $1, $3); }
    | sum '-' term                      { $$ = binary(syntax, @$, '-', $1, $3); };
term: unary
    | term '*' unary                    { $$ = binary(syntax, @$, '*', $1, $3); }
    | term '/' unary                    { $$ = binary(syntax, @$, '/', $1, $3); }
    | term '%' unary                    { $$ = binary(syntax, @$, '%', $1, $3); }
    | term '@' unary                    { $$ = binary(syntax, @$, '@', $1, $3); };
unary: postfix
    | '-' unary                         { $$ = unary(syntax, @$, '-', $2); }
    | '!' unary                         { $$ = unary(syntax, @$, '!', $2); }
    | '~' unary                         { $$ = unary(syntax, @$, '~', $2); };
postfix: primary
    | postfix '.' NAME                  { $$ = make(syntax, HRM_MEMBER, @$, $1, NULL); $$->name = $NAME; }
    | postfix '[' indices ']'           { $$ = indexed(syntax, @$, $1, $indices); };
primary: INTEGER                        { $$ = make(syntax, HRM_INTEGER, @$, NULL, NULL); $$->integer = $1; }
    | REAL                              { $$ = make(syntax, HRM_REAL, @$, NULL, NULL); $$->real = $1; }
    | BOOLEAN                           { $$ = make(syntax, HRM_BOOL, @$, NULL, NULL); $$->integer = $1; }
    | STRING                            { $$ = make(syntax, HRM_TEXT, @$, NULL, NULL); $$->name = $1; }
    | NAME %prec ALONE                  { $$ = make(syntax, HRM_NAME, @$, NULL, NULL); $$->name = $1; }
    | NAME '(' arguments ')'            { $$ = call(syntax, @$, $NAME, NULL, $arguments); }
    | '(' expr ')'                      { $$ = $2; };

indices: index                          { $$ = psc_new(syntax->arena, hrm_indices); psc_push(syntax->arena, $$, $1); }
    | indices ',' index                 { $$ = $1; psc_push(syntax->arena, $$, $3); };
index: expr                             { $$ = (hrm_index){.from = $1, .span = @$}; }
    | DOTS                              { $$ = (hrm_index){.part = true, .span = @$}; }
    | expr DOTS                         { $$ = (hrm_index){.part = true, .from = $1, .span = @$}; }
    | DOTS expr[to]                     { $$ = (hrm_index){.part = true, .to = $to, .span = @$}; }
    | expr DOTS expr[to]                { $$ = (hrm_index){.part = true, .from = $1, .to = $to, .span = @$}; }
    | DOTS expr[to] DOTS expr[step]     { $$ = (hrm_index){.part = true, .to = $to, .step = $step, .span = @$}; }
    | expr DOTS expr[to] DOTS expr[step]
                                        { $$ = (hrm_index){.part = true, .from = $1, .to = $to, .step = $step, .span = @$}; };

list: '[' arguments ']'                 { $$ = call(syntax, @$, (psc_name){NULL, @$, NULL}, NULL, $arguments); $$->kind = HRM_LIST; };

arguments: %empty                       { $$ = psc_new(syntax->arena, hrm_arguments); }
    | argument_list
    | argument_list ','                 { $$ = $1; };
argument_list: argument                 { $$ = psc_new(syntax->arena, hrm_arguments); psc_push(syntax->arena, $$, $1); }
    | argument_list ',' argument        { $$ = $1; psc_push(syntax->arena, $$, $3); };
argument: expr                          { $$ = (hrm_argument){{NULL, @$, NULL}, $1}; }
    | list                              { $$ = (hrm_argument){{NULL, @$, NULL}, $1}; }
    | NAME ':' list                     { $$ = (hrm_argument){$NAME, $list}; }
    | NAME ':' expr                     { $$ = (hrm_argument){$NAME, $expr}; }
    | NAME ':' record                   { $$ = (hrm_argument){$NAME, $record}; };
%%

/* A pipeline that gives nothing is a likely slip, and its list of what could stand there is long. */
static bool is_without_result(const yypcontext_t *context)
{
    yysymbol_kind_t kinds[YYNTOKENS];
    bool lets = false;
    for (int i = yypcontext_expected_tokens(context, kinds, YYNTOKENS); i-- > 0;) {
        lets = lets || kinds[i] == YYSYMBOL_LET;
    }
    return lets && strcmp(yysymbol_name(yypcontext_token(context)), "'}'") == 0;
}

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, psc_syntax *syntax)
{
    (void)scanner;
    if (is_without_result(context) && !syntax->gave_up) {
        psc_help(psc_error(syntax->diags, PSC_E_SYNTAX, *yypcontext_location(context), "the pipeline ends without a result"),
                 "write the message that it gives at its end: `NAME { FIELD: value }`");
        return 0;
    }
    PSC_SYNTAX_REPORT(context, syntax, psc_hrm_syntax_error);
    return 0;
}

hrm_file *psc_hrm_parse_file(psc_syntax *syntax)
{
    static const char *const later[] = {"model", "state", "update", "variant", "grad",
                                        "match", "enum",  "while",  "struct",  NULL};
    hrm_file *f = psc_new(syntax->arena, hrm_file);
    void *scanner;
    syntax->later = later;
    syntax->result = f;
    if (psc_syntax_begin(syntax) && psc_hrm_lex_init_extra(syntax, &scanner) == 0) {
        psc_hrm__scan_bytes(syntax->source->text, (int)syntax->source->bytes, scanner);
        psc_hrm_parse(scanner, syntax);
        psc_hrm_lex_destroy(scanner);
    }
    return f;
}

const char *psc_hrm_word(size_t i)
{
    for (int k = 0; k < YYNTOKENS; k++) {
        const char *name = yysymbol_name((yysymbol_kind_t)k);
        bool word = name[0] >= 'a' && name[0] <= 'z' && !strchr(name, ' ') && strcmp(name, "error") != 0;
        if (word && i-- == 0) {
            return name;
        }
    }
    return NULL;
}

void psc_hrm_words(psc_syntax *syntax, psc_spans *words)
{
    PSC_HRM_STYPE value;
    psc_span at;
    void *scanner;
    if (psc_syntax_begin(syntax) && psc_hrm_lex_init_extra(syntax, &scanner) == 0) {
        psc_hrm__scan_bytes(syntax->source->text, (int)syntax->source->bytes, scanner);
        while (psc_hrm_lex(&value, &at, scanner) > 0) {
            psc_push(syntax->arena, words, at);
        }
        psc_hrm_lex_destroy(scanner);
    }
}
