/* SPDX-License-Identifier: Apache-2.0 */
/* Atomics that headers share with C and C++: PSY_ATOMIC(uint64_t) is a member of the same size and place in both, and the
 * functions of <stdatomic.h> work on it. */
#ifndef PSYNE_ATOMIC_H
#define PSYNE_ATOMIC_H

#ifdef __cplusplus
#include <atomic>
#define PSY_ATOMIC(type) std::atomic<type>
extern "C++" {
using std::atomic_exchange_explicit;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_thread_fence;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
}
#else
#include <stdatomic.h>
#define PSY_ATOMIC(type) _Atomic type
#endif

#endif
