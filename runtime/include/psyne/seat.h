/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PSYNE_SEAT_H
#define PSYNE_SEAT_H
#include <stdbool.h>
#include <stdint.h>

#include <psyne/slab.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif
typedef struct psy_seat {
    int fd;
    uint32_t number, epoch;
} psy_seat;
static inline psy_seat psy_seat_bare(uint32_t number)
{
    psy_seat seat = {-1, number, 0};
    return seat;
}
PSY_NODISCARD psy_status psy_seat_take(psy_slab *slab, psy_seat *out);
PSY_NODISCARD psy_status psy_seat_take_number(psy_slab *slab, uint32_t number, psy_seat *out);
void psy_seat_leave(psy_seat *seat);
bool psy_seat_lives(const psy_seat *mine, uint32_t number);
bool psy_seat_seize(const psy_seat *mine, uint32_t number);
void psy_seat_unseize(const psy_seat *mine, uint32_t number);
#ifdef __cplusplus
}
#endif
#endif
