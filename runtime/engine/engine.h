/* SPDX-License-Identifier: Apache-2.0 */
/* Engines run programs over batches of messages. One interface, one conformance suite (tests/engine), several
 * implementations: cpu (always there, the reference) and vulkan.
 *
 *   psy__engine *engine;  psy__engine_open("cpu", &options, &engine);
 *   psy__executable *x;  engine->interface->bind(engine, &binding, &x);   // sizes and resident data are known now
 *   engine->interface->run(x, &batch);                                    // again and again
 *   engine->interface->unbind(x);  psy__engine_close(engine);
 *
 * The slab is the batch: messages are addressed where they lie, as spans of equal stride; engines copy no payload.
 *
 * Thread safety: an engine and its executables belong to one thread at a time.
 */
#ifndef PSY_ENGINE_ENGINE_H
#define PSY_ENGINE_ENGINE_H

#include "isa/verify.h"

typedef struct psy__engine psy__engine;
typedef struct psy__executable psy__executable;

/* Who looks at what programs compute (psyne run --trace): every value of a run, and not only what is stored. What a program
 * that is looked at gives is the same to the last bit; it takes more memory, since no value's place is given to another one. */
typedef struct psy__tracer {
    /* After a program ran over `count` messages: psy__cpu_value says where each one's values are, until this returns. */
    void (*ran)(void *context, psy__executable *executable, const psy__bound_program *program, uint32_t count);
    void *context;
} psy__tracer;

typedef struct psy__engine_options {
    const char *device; /* name or index of the device; NULL: the engine's choice */
    uint32_t max_batch; /* messages in one run at most; 0 = 64 */
    bool validate;      /* vulkan: validation layers on, any message is a failure */
    bool no_code;       /* cpu: makes no machine code of its own, as with PSYNE_CPU_CODE=0 in the environment */
    bool no_import;     /* vulkan: copies messages, as for a device that cannot import memory */
    psy__limits limits;
    const psy__tracer *tracer; /* cpu: is told of every run; outlives the engine; NULL: nobody looks. Others: UNSUPPORTED */
} psy__engine_options;

/* Resident data as the engine sees it. Memory is the caller's and must outlive the executable. Vulkan uploads it once, at
 * bind. */
typedef struct psy__resident_data {
    const void *data; /* [local rows, ...] row-major, contiguous, 64-byte aligned; NULL if the program does not use it */
    uint64_t rows;    /* local rows (dims[0]); for rank 0, 1 */
    uint64_t row_bytes;
    /* BY_KEY: an open-addressing index over the rows. index_rows[h] is a row number or UINT32_MAX (free); probing starts at
     * psy__siphash(zero key, key) & mask and is linear. keys[row] is the row's key. */
    const uint64_t *keys;
    const uint32_t *index_rows;
    uint64_t index_mask;
} psy__resident_data;

typedef struct psy__binding {
    const psy__module *module;
    uint32_t program;
    const uint64_t *symbols;             /* module->symbol_count */
    const uint64_t *bases;               /* row base per symbol */
    const psy__resident_data *residents; /* module->resident_count */
    uint64_t partial_stride;             /* PARTIAL: bytes from one shard's record to the next */
} psy__binding;

/* `count` messages, `stride` bytes apart, the first at `base` (start of the message, not of its envelope). */
typedef struct psy__span {
    uint8_t *base;
    uint64_t stride;
    uint32_t count;
} psy__span;

/* One run. Each list of spans adds up to `count` messages; the i-th input, partial and output belong together. Spans lie in
 * memory that was attached (attach). Output messages get their header, the stored fields and zero padding of
 * nothing else: callers hand out zeroed or recycled memory and readers trust lengths only.
 * status[i] is set for each message: OK, NOT_FOUND, ... ; where it is not OK the output's fields are unspecified. */
typedef struct psy__batch {
    uint32_t count; /* 1 .. max_batch */
    const psy__span *inputs, *partials, *outputs;
    uint32_t input_spans, partial_spans, output_spans;
    uint8_t *status; /* psy_status, as u8 */
} psy__batch;

typedef struct psy__engine_interface {
    const char *name;
    psy_status (*open)(const psy__engine_options *options, psy__engine **out);
    void (*close)(psy__engine *engine);
    /* One line for people: device, driver, instruction set. Valid until close. */
    const char *(*describe)(psy__engine *engine);
    /* Memory in which spans may lie. `base` is page-aligned, `bytes` a multiple of the page size. The cpu engine accepts
     * everything. Detach waits for nothing: no run is in flight. */
    psy_status (*attach)(psy__engine *engine, void *base, uint64_t bytes);
    void (*detach)(psy__engine *engine, void *base);
    /* Whether this engine can run the program; if not, UNSUPPORTED names the op in the detail. */
    psy_status (*supports)(psy__engine *engine, const psy__module *module, uint32_t program);
    psy_status (*bind)(psy__engine *engine, const psy__binding *binding, psy__executable **out);
    psy_status (*run)(psy__executable *executable, const psy__batch *batch);
    void (*unbind)(psy__executable *executable);
    /* Payload bytes copied by runs so far (device transfers included, resident upload not). */
    uint64_t (*copied_bytes)(psy__engine *engine);
} psy__engine_interface;

/* Every implementation's objects start with this. */
struct psy__engine {
    const psy__engine_interface *interface;
};
struct psy__executable {
    psy__engine *engine;
};

extern const psy__engine_interface psy__engine_cpu;
/* For tracers: where the elements of register `reg` of the program start for message `message` of the run; its dims and strides
 * are those of the bound program. */
const void *psy__cpu_value(psy__executable *executable, uint32_t reg, uint32_t message);
#ifdef PSY_HAVE_VULKAN
extern const psy__engine_interface psy__engine_vulkan;
#endif

/* By name: "cpu", "vulkan". NOT_FOUND names the ones there are; NO_DEVICE, NO_MEMORY, UNSUPPORTED (not built in). */
PSY_NODISCARD psy_status psy__engine_open(const char *name, const psy__engine_options *options, psy__engine **out);
/* For engines: whether every resident that the program reads is loaded and as large as its sizes say. INVALID names it. */
PSY_NODISCARD psy_status psy__binding_check(const psy__binding *binding, const psy__bound_program *bound);
/* Writes where each message of the spans starts; false if they are not `count` together. */
bool psy__spans_take(const psy__span *spans, uint32_t span_count, uint32_t count, uint8_t **out);
/* The headers of messages, and of the parts that lie in them, as the type has them. */
void psy__message_headers(const psy__module *m, const psy_psm_type *type, uint8_t *const *messages, uint32_t count);

static inline void psy__engine_close(psy__engine *e)
{
    if (e)
        e->interface->close(e);
}

#endif
