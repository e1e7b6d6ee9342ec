/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes the kernels of a program read from memory and write to it for one message. Within a kernel nothing is moved;
 * what two kernels share is written by one and read by the other. What runs once does not count, nor do constants; of what all
 * messages share, a batch reads less than that for each message. */
#ifndef PSC_TRAFFIC_H
#define PSC_TRAFFIC_H

#include "unit.h"

/* "1024 N + 88": a sum of products of the sizes. */
const char *psc_traffic_text(psc_unit *unit, const psc_program *program);

#endif
