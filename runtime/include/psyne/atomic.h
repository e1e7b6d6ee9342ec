/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic members of structs that C and C++ share: PSY_ATOMIC(uint64_t) word; used with the names of <stdatomic.h>. */
#ifndef PSYNE_ATOMIC_H
#define PSYNE_ATOMIC_H

#ifdef __cplusplus
#include <atomic>
#define PSY_ATOMIC(type) std::atomic<type>
extern "C++" {
using std::atomic_compare_exchange_strong_explicit;
using std::atomic_exchange_explicit;
using std::atomic_fetch_add_explicit;
using std::atomic_fetch_and_explicit;
using std::atomic_fetch_or_explicit;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_thread_fence;
using std::memory_order_acq_rel;
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
