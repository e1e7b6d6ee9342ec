/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of texts that keep most of them sound: whole tokens go, come, change places or become other words. */
#ifndef PSY_TESTS_FUZZ_CHANGE_H
#define PSY_TESTS_FUZZ_CHANGE_H

#include "tests/fuzz/soup.h"

/* One to four changes; parts may come from `other`. The same for the same soup_state. */
void soup_change(soup_input *in, const soup_input *other);

#endif
