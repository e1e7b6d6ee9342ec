/* SPDX-License-Identifier: Apache-2.0 */
/* The bytecode module (.psm): on-disk records, and the same records in memory.
 *
 *   0    psy_psm_header (64 bytes)
 *   64   psy_psm_section[section_count]
 *        sections, each on a multiple of 64, in the order of their kinds, gaps are zero
 *
 * All integers are little-endian, all offsets are from the start of their section (sections: from the start of the
 * file), nothing is a pointer: a module may be mapped, sent as a message, or hashed as it lies. Names are offsets into
 * STRINGS, which starts with an empty string and holds NUL-terminated UTF-8.
 *
 * A program is a straight line of instructions over typed, single-assignment registers. It is written for one message;
 * engines add the batch axis. Sizes may be symbols, bound when data is loaded: one module for all sizes.
 *
 * Code is a list of u32 words. An instruction is an 8-byte header and its operands, padded with one zero word to a
 * multiple of 8 bytes:
 *
 *   word 0   op u8 | dtype u8 | flags u8 (0) | operand count u8
 *   word 1   first result register u16 (0xFFFF: none) | reserved u16 (0)
 *   word 2+  operands, a word each, as the op's signature says
 *
 * Thread safety: a decoded module is immutable and may be shared.
 */
#ifndef PSY_ISA_MODULE_H
#define PSY_ISA_MODULE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/dtype.h>
#include <psyne/reflect.h>
#include <psyne/status.h>
#include <psyne/variant.h>

enum { PSY_RANK_MAX = 8, PSY_PSM_ABI_MAJOR = 3, PSY_PSM_ABI_MINOR = 0 };
enum { PSY_REGISTERS_MAX = 60000, PSY_CODE_WORDS_MAX = 1 << 19 }; /* of a program */
enum { PSY_KERNELS_MAX = 16384 };
#define PSY_PSM_MAGIC UINT32_C(0x4D535950) /* "PYSM" in memory: 50 59 53 4D */
#define PSY_NO_REG    UINT16_C(0xFFFF)
#define PSY_NO_SLOT   UINT16_C(0xFFFF)

typedef enum psy_op {
#define OP(NAME, code, ...) PSY_OP_##NAME = code,
#include "isa/ops.def"
#undef OP
} psy_op;

typedef enum psy_op_class {
    PSY_CLASS_VIEW,
    PSY_CLASS_SIZE,
    PSY_CLASS_LOOKUP,
    PSY_CLASS_SHAPE,
    PSY_CLASS_INDEX,
    PSY_CLASS_JOIN,
    PSY_CLASS_GATHER,
    PSY_CLASS_SCATTER,
    PSY_CLASS_MAP1,
    PSY_CLASS_MAP2,
    PSY_CLASS_MAP3,
    PSY_CLASS_COMPARE,
    PSY_CLASS_CHOOSE,
    PSY_CLASS_CAST,
    PSY_CLASS_REDUCE1,
    PSY_CLASS_REDUCE2,
    PSY_CLASS_SCAN,
    PSY_CLASS_SELECT,
    PSY_CLASS_SORT,
    PSY_CLASS_STORE,
    PSY_CLASS_REGION
} psy_op_class;

typedef enum psy_dtype_class { PSY_DCLASS_BOOL, PSY_DCLASS_SINT, PSY_DCLASS_UINT, PSY_DCLASS_FLOAT } psy_dtype_class;

/* Which dtypes an op takes. */
typedef enum psy_op_dtypes {
    PSY_TAKES_NONE,
    PSY_TAKES_ANY,
    PSY_TAKES_NUM,
    PSY_TAKES_SIG,
    PSY_TAKES_FLT,
    PSY_TAKES_INT,
    PSY_TAKES_BIT,
    PSY_TAKES_TRU,
    PSY_TAKES_BOOL,
    PSY_TAKES_WORD,
    PSY_TAKES_BYTE /* u8 and u32 */
} psy_op_dtypes;

typedef struct psy_op_info {
    psy_op op;
    const char *name; /* "add" */
    psy_op_class class_;
    const char *signature; /* "r:rr" */
    psy_op_dtypes dtypes;
    double tolerance;
    const char *doc;
} psy_op_info;

const psy_op_info *psy__op_info(unsigned op);       /* NULL: no such op */
const psy_op_info *psy__op_named(const char *name); /* NULL: no such op */
unsigned psy__op_count(void);                       /* rows of ops.def */
const psy_op_info *psy__op_row(unsigned row);       /* row of ops.def, in table order */
bool psy__op_takes(const psy_op_info *info, unsigned dtype);
/* MAP1 to MAP3, COMPARE, CHOOSE, CAST: an element of the result comes from the elements at its place. */
bool psy__class_is_map(psy_op_class class_);
bool psy__class_is_reduction(psy_op_class class_);
/* What differs from message to message before anything is computed: fields, partial records, rows by key. */
bool psy__op_reads_message(unsigned op);
unsigned psy__op_register_count(
    const psy_op_info *info); /* operands that are registers, the optional ones too, without lists */
/* Whether operand i is a register, one of a list or an optional one included. */
bool psy__op_reads_register(const psy_op_info *info, unsigned i);
unsigned psy__op_result_dtype(const psy_op_info *info, unsigned dtype); /* of an instruction of that dtype */
/* The dtype of register operand i; 0: any (CAST). */
unsigned psy__op_operand_dtype(const psy_op_info *info, unsigned dtype, unsigned i);
const char *psy__dtype_name(unsigned dtype);           /* NULL: no such dtype */
unsigned psy__dtype_named(const char *name, size_t n); /* 0: no such dtype */
unsigned psy__dtype_bytes(unsigned dtype);             /* 0: no such dtype */
psy_dtype_class psy__dtype_class(unsigned dtype);
bool psy__dtype_computes(unsigned dtype);

/* A dim word: a literal below 2^31, or a symbol's index with the top bit set. */
typedef uint32_t psy_dim;
#define PSY_DIM_SYMBOL UINT32_C(0x80000000)
static inline bool psy__dim_is_symbol(psy_dim d) { return (d & PSY_DIM_SYMBOL) != 0 && d != PSY_NONE; }
static inline uint32_t psy__dim_symbol(psy_dim d) { return d & ~PSY_DIM_SYMBOL; }

/* ---- sections ---- */
typedef enum psy_psm_kind {
    PSY_PSM_STRINGS = 1,
    PSY_PSM_TYPES,
    PSY_PSM_FIELDS,
    PSY_PSM_SYMBOLS,
    PSY_PSM_CHECKS,
    PSY_PSM_RESIDENTS,
    PSY_PSM_PIPELINES,
    PSY_PSM_PROGRAMS,
    PSY_PSM_REGISTERS,
    PSY_PSM_CODE,
    PSY_PSM_CONSTS,
    PSY_PSM_LINES,
    PSY_PSM_KERNELS,     /* native: honoured only in modules the operator named */
    PSY_PSM_KERNEL_CODE, /* native */
    PSY_PSM_GUARDS,
    PSY_PSM_KIND_END
} psy_psm_kind;

typedef struct psy_psm_header {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint64_t bytes; /* of the whole file */
    uint64_t hash;  /* SipHash-2-4 (zero key) of the whole file with this field as zero */
    uint32_t section_count;
    uint32_t reserved[9]; /* zero */
} psy_psm_header;
static_assert(sizeof(psy_psm_header) == 64 && offsetof(psy_psm_header, hash) == 16, "module header is ABI");

typedef struct psy_psm_section {
    uint32_t kind;
    uint32_t reserved; /* zero */
    uint64_t offset, bytes;
} psy_psm_section;
static_assert(sizeof(psy_psm_section) == 24, "module section is ABI");

static_assert((int)PSY_RANK_MAX == PSY_VARIANT_RANK_MAX, "what a message holds, programs compute with");

/* A size known when data is loaded. GLOBAL: rows over all shards. LOCAL: this shard's rows of symbol `of`. SHARDS: how
 * many shards there are. MESSAGE: known from a variant of each message. The others are computed from two sizes that come
 * before: a division leaves nothing over. */
enum {
    PSY_SYMBOL_GLOBAL = 0,
    PSY_SYMBOL_LOCAL = 1,
    PSY_SYMBOL_SHARDS = 2,
    PSY_SYMBOL_ADD = 3,
    PSY_SYMBOL_SUBTRACT = 4,
    PSY_SYMBOL_MULTIPLY = 5,
    PSY_SYMBOL_DIVIDE = 6,
    PSY_SYMBOL_MESSAGE = 7,
    PSY_SYMBOL_KIND_END
};
typedef struct psy_psm_symbol {
    uint32_t name;
    uint32_t kind;
    uint32_t of;   /* LOCAL: the GLOBAL symbol; computed: the left dim; else PSY_NONE */
    uint32_t with; /* computed: the right dim; else 0 */
} psy_psm_symbol;
static_assert(sizeof(psy_psm_symbol) == 16, "module symbol is ABI");
enum { PSY_MESSAGE_SIZES_MAX = 8 }; /* symbols of kind MESSAGE in a module */

/* "add", "sub", "mul", "div": how a computed size is written; NULL: the kind is another. */
const char *psy__symbol_word(uint32_t kind);

/* A condition on sizes that could not be decided at compile time: checked when data is loaded. left REL right */
enum { PSY_CHECK_EQ = 0, PSY_CHECK_GE = 1 };
typedef struct psy_psm_check {
    psy_dim left, right;
    uint32_t relation;
    uint32_t message; /* string: in the user's words */
} psy_psm_check;
static_assert(sizeof(psy_psm_check) == 16, "module check is ABI");

enum { PSY_PLACE_REPLICATED = 0, PSY_PLACE_SPLIT = 1, PSY_PLACE_BY_KEY = 2 };
typedef struct psy_psm_resident {
    uint32_t name;
    uint8_t dtype, rank, placement, reserved; /* SPLIT and BY_KEY: along axis 0 */
    psy_dim dims[PSY_RANK_MAX];               /* as declared: dims[0] of split data is the GLOBAL symbol */
    psy_dim local_rows;                       /* SPLIT, BY_KEY: the LOCAL symbol of dims[0]; else dims[0] */
    uint32_t reserved2;
} psy_psm_resident;
static_assert(sizeof(psy_psm_resident) == 48, "module resident is ABI");

/* How a request of this pipeline travels. ANY: to one shard, any. KEY: to the shard that owns the key field's hash. ALL:
 * to all shards; the merge program makes the reply of their partial records.
 *
 * A pipeline that takes variants has programs for each of its alternatives. The first alternative is the pipeline that clients
 * name; the others follow it, under names of their own. A message goes to the first one whose guards it meets. */
enum { PSY_ROUTE_ANY = 0, PSY_ROUTE_KEY = 1, PSY_ROUTE_ALL = 2 };
/* Where a pipeline would rather run. CPU: also where the worker has another engine. VULKAN: where the worker was told none. */
enum { PSY_PREFER_NONE = 0, PSY_PREFER_CPU = 1, PSY_PREFER_VULKAN = 2, PSY_BATCH_MAX = 4096 };
const char *psy__prefer_word(unsigned engine); /* "cpu", "vulkan"; NULL: another, or none */
typedef struct psy_psm_pipeline {
    uint32_t name;
    uint32_t input_type, output_type;
    uint32_t route;
    uint32_t key_field;     /* KEY: index of the key among the input type's fields; else PSY_NONE */
    uint32_t shard_program; /* its output type: output_type, or partial_type where route is ALL */
    uint32_t merge_program; /* ALL; else PSY_NONE */
    uint32_t partial_type;  /* ALL; else PSY_NONE */
    uint32_t first_guard, guard_count;
    uint32_t alternatives; /* this one and those that follow it; 0: it is one of those */
    uint16_t max_batch;    /* messages in one run at most; 0: what the worker does */
    uint8_t engine;        /* PSY_PREFER_* */
    uint8_t reserved;      /* zero */
} psy_psm_pipeline;
static_assert(sizeof(psy_psm_pipeline) == 48, "module pipeline is ABI");

/* What a variant of the input message has to be. A size of kind MESSAGE becomes known here; every other one is compared. */
typedef struct psy_psm_guard {
    uint32_t field; /* VARIANT: index in the input type */
    uint8_t dtype, rank;
    uint16_t reserved;          /* zero */
    psy_dim dims[PSY_RANK_MAX]; /* unused ones are 0 */
} psy_psm_guard;
static_assert(sizeof(psy_psm_guard) == 40, "module guard is ABI");

typedef struct psy_psm_program {
    uint32_t name;
    uint32_t input_type;   /* what LOAD reads */
    uint32_t partial_type; /* what PARTIAL reads; PSY_NONE in shard programs */
    uint32_t output_type;  /* what STORE writes */
    uint32_t first_register, register_count;
    uint32_t first_word, word_count;
    uint32_t slot_count; /* arena slots; each as large as its largest register when sizes are bound */
    uint32_t reserved;
} psy_psm_program;
static_assert(sizeof(psy_psm_program) == 40, "module program is ABI");

typedef struct psy_psm_register {
    uint8_t dtype, rank;
    uint16_t slot;              /* PSY_NO_SLOT: a view, or lives only inside its region */
    psy_dim dims[PSY_RANK_MAX]; /* unused ones are 0 */
} psy_psm_register;
static_assert(sizeof(psy_psm_register) == 36, "module register is ABI");

/* Source map: the instruction at `word` of the program comes from this place. Sorted by program, then word. */
typedef struct psy_psm_line {
    uint32_t program, word;
    uint32_t file, line, column; /* file: string; line and column from 1 */
} psy_psm_line;
static_assert(sizeof(psy_psm_line) == 20, "module line is ABI");

/* A native kernel for the instruction (or region) at `word` of a program. */
enum { PSY_TARGET_SPIRV = 1 };
typedef struct psy_psm_kernel {
    uint32_t name; /* "nearest_shard_0": also the file's name under psynec --emit spirv */
    uint32_t target;
    uint32_t program, word;
    uint32_t stage;         /* top-k takes more than one */
    uint32_t codegen;       /* version of the kernel interface it was made for: codegen/kernel.h */
    uint64_t offset, bytes; /* in KERNEL_CODE */
} psy_psm_kernel;
static_assert(sizeof(psy_psm_kernel) == 40, "module kernel is ABI");

/* A module in memory. Decoding points into the given bytes, which must outlive it; the compiler and the assembler point
 * at their own arrays. */
typedef struct psy__module {
    const char *strings;
    uint64_t strings_bytes;
    const psy_psm_type *types;
    const psy_psm_field *fields;
    const psy_psm_symbol *symbols;
    const psy_psm_check *checks;
    const psy_psm_resident *residents;
    const psy_psm_pipeline *pipelines;
    const psy_psm_guard *guards;
    const psy_psm_program *programs;
    const psy_psm_register *registers;
    const uint32_t *code;
    const uint8_t *consts;
    const psy_psm_line *lines;
    const psy_psm_kernel *kernels;
    const uint8_t *kernel_code;
    uint32_t type_count, field_count, symbol_count, check_count, resident_count, pipeline_count, guard_count, program_count,
        register_count, line_count, kernel_count;
    uint64_t code_words, consts_bytes, kernel_code_bytes;
    uint64_t hash; /* set by decode */
} psy__module;

/* Whether native sections may be used: only for modules that the operator named. */
typedef enum psy__trust { PSY_TRUST_BYTECODE, PSY_TRUST_NATIVE } psy__trust;

/* Decodes and verifies: afterwards every index, offset, type, shape and lifetime in `out` holds (isa/verify.h says what
 * that covers). `bytes` must be aligned to 8 and outlive `out`. Allocates nothing that outlives the call.
 * CORRUPT with what and where in the detail; VERSION naming both; UNSUPPORTED for ops or dtypes from the future. With
 * PSY_TRUST_BYTECODE native sections are dropped. */
PSY_NODISCARD psy_status psy__module_decode(const void *bytes, uint64_t n, psy__trust trust, psy__module *out);

/* Encodes into malloc'd memory (caller frees). The same records give the same bytes. NO_MEMORY, TOO_LARGE. */
PSY_NODISCARD psy_status psy__module_encode(const psy__module *module, uint8_t **bytes, uint64_t *n);

static inline const char *psy__module_string(const psy__module *m, uint32_t at) { return m->strings + at; }

/* ---- reading verified code ---- */
typedef struct psy__instruction {
    const psy_op_info *info;
    psy_op op;
    unsigned dtype;
    uint16_t dst;       /* first result; PSY_NO_REG: none */
    unsigned dst_count; /* results: dst, dst + 1 ... */
    unsigned operand_count;
    const uint32_t *operands; /* meaning by info->signature */
    uint32_t word;            /* where it starts, counted from the program's first word */
    uint32_t next;            /* where the next one starts */
} psy__instruction;

/* Reads the instruction at `word`; code must have been verified, `word` must be below word_count. */
void psy__instruction_at(const psy__module *m, const psy_psm_program *p, uint32_t word, psy__instruction *out);

#endif
