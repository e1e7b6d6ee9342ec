/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes, and the thread's detail text.
 *
 * Every call that can fail returns a psy_status. Statuses 1 to 15 are results a caller expects in normal work (empty,
 * full, timed out, not found); the others are errors. A failing call leaves one line about what happened, with names
 * and numbers, in a thread-local text: read it with psy_detail() before the thread's next Psyne call.
 *
 * Thread safety: every function here may be called from any thread. None blocks or allocates.
 */
#ifndef PSYNE_STATUS_H
#define PSYNE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum psy_status {
#define STATUS(name, number, text, help) PSY_##name = number,
#include <psyne/status.def>
#undef STATUS
} psy_status;

#if defined(__GNUC__)
#define PSY_NODISCARD                         __attribute__((warn_unused_result))
#define PSY_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define PSY_NODISCARD
#define PSY_PRINTF(format_index, first_index)
#endif

/* The status as text, for people: never NULL, also for numbers that are no status. */
const char *psy_status_text(psy_status status);
/* The status's name in the table ("NOT_FOUND"): never NULL. */
const char *psy_status_name(psy_status status);
/* What the caller can do about it: never NULL, may be empty. */
const char *psy_status_help(psy_status status);

/* One line about this thread's last failure; empty when there was none. Valid until the thread's next Psyne call. */
const char *psy_detail(void);

/* Sets the thread's detail line (cut at 511 bytes) and returns `status`, so that a failure is one statement:
 *     return psy_fail(PSY_INVALID, "depth %u is no power of two", depth);                                            */
psy_status psy_fail(psy_status status, const char *format, ...) PSY_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
