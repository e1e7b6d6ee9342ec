/* SPDX-License-Identifier: Apache-2.0 */
/* Machine code for chains, on x86-64 with AVX-512 or AVX2 and FMA; elsewhere there is none, and the kernels do the work.
 *
 * What is made is written into ordinary memory and becomes executable when it is complete and can no longer be written (W^X).
 * It reads and writes the streams that it is given, as far as it is told, and its own stack. */
#ifndef PSY_ENGINE_CPU_EMIT_H
#define PSY_ENGINE_CPU_EMIT_H

#include "engine/cpu/chain.h"

typedef struct psy__code {
    uint8_t *bytes; /* writable, until psy__code_seal */
    uint64_t count, room;
    uint8_t *sealed; /* executable */
    uint64_t sealed_bytes;
} psy__code;

/* How many lanes a vector has in code for these kernels; 0: none is made. */
unsigned psy__emit_lanes(const psy__kernels *kernels);
/* Appends code for the chain. `streaming`: results go past the caches; they are aligned to vectors then. False: it needs more
 * than there is, or no memory; nothing was appended. *offset: of its psy__emitted, from psy__code_seal on. */
bool psy__emit(psy__code *code, const psy__chain *chain, unsigned lanes, bool streaming, uint64_t *offset);
/* Makes all of it executable. False: the system does not allow that. */
bool psy__code_seal(psy__code *code);
void psy__code_free(psy__code *code);

#endif
