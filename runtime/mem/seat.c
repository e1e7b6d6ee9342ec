/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/seat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/failure.h"

static bool is_seat(uint32_t number) { return number >= PSY_SEAT_FIRST && number <= PSY_SEAT_LAST; }

static psy_slab_seat *row(const psy_slab *slab, uint32_t number)
{
    return &((psy_slab_page *)psy_slab_base(slab))->seats[number];
}

static struct flock lock_of(short type, uint32_t number)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = PSY_SEAT_LOCK_OFFSET + number, .l_len = 1};
}

/* 0: locked; EAGAIN: somebody else holds it; or what the system says. */
static int lock(int fd, uint32_t number)
{
    struct flock l = lock_of(F_WRLCK, number);
    if (fcntl(fd, F_OFD_SETLK, &l) == 0) {
        return 0;
    }
    return errno == EACCES ? EAGAIN : errno;
}

/* An open file description that nobody else has: one that came over a socket shares its sender's, and with it its locks. */
static psy_status open_anew(const psy_slab *slab, int *out)
{
    char path[32];
    if (psy_slab_fd(slab) < 0) {
        return psy_fail(PSY_UNSUPPORTED, "a slab without a descriptor has no seats: agree on numbers and use psy_seat_bare");
    }
    if (!psy_slab_writable(slab)) {
        return psy_fail(PSY_DENIED, "the slab may only be read here: whoever sits in it must be able to write");
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", psy_slab_fd(slab));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return psy__system_failure("the slab's memory cannot be opened anew for a seat", path, errno);
    }
    *out = fd;
    return PSY_OK;
}

static void sit_down(const psy_slab *slab, int fd, uint32_t number, psy_seat *out)
{
    /* The lock makes this the only honest writer of the row; the others may be reading. */
    psy_slab_seat *r = row(slab, number);
    uint32_t epoch = __atomic_load_n(&r->epoch, __ATOMIC_RELAXED) + 1;
    epoch += epoch == 0; /* 0 is: never */
    __atomic_store_n(&r->pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&r->epoch, epoch, __ATOMIC_RELEASE);
    *out = (psy_seat){fd, number, epoch, slab};
}

psy_status psy_seat_take(psy_slab *slab, psy_seat *out)
{
    int fd, error = EAGAIN;
    if (!slab || !out) {
        return psy_fail(PSY_INVALID, "psy_seat_take: a null argument");
    }
    psy_status status = open_anew(slab, &fd);
    if (status != PSY_OK) {
        return status;
    }
    for (uint32_t number = PSY_SEAT_FIRST; error == EAGAIN && number <= PSY_SEAT_LAST; number++) {
        error = lock(fd, number);
        if (error == 0) {
            sit_down(slab, fd, number, out);
            return PSY_OK;
        }
    }
    close(fd);
    return error == EAGAIN ? psy_fail(PSY_LIMIT, "all %d seats of the slab are taken", PSY_SEAT_LAST)
                           : psy__system_failure("a seat of the slab", "F_OFD_SETLK", error);
}

psy_status psy_seat_take_number(psy_slab *slab, uint32_t number, psy_seat *out)
{
    int fd;
    if (!slab || !out) {
        return psy_fail(PSY_INVALID, "psy_seat_take_number: a null argument");
    }
    if (!is_seat(number)) {
        return psy_fail(PSY_INVALID, "seat %" PRIu32 ": a slab has seats %d to %d", number, PSY_SEAT_FIRST, PSY_SEAT_LAST);
    }
    psy_status status = open_anew(slab, &fd);
    if (status != PSY_OK) {
        return status;
    }
    int error = lock(fd, number);
    if (error == 0) {
        sit_down(slab, fd, number, out);
        return PSY_OK;
    }
    close(fd);
    return error == EAGAIN ? psy_fail(PSY_FULL, "seat %" PRIu32 " is taken (by process %" PRIu32 ", it says)", number,
                                      psy_seat_pid(slab, number))
                           : psy__system_failure("a seat of the slab", "F_OFD_SETLK", error);
}

void psy_seat_leave(psy_seat *seat)
{
    /* The lock goes with the last descriptor: a forked child that leaves does not unseat its parent. */
    if (seat && seat->fd >= 0) {
        close(seat->fd);
        seat->fd = -1;
    }
}

bool psy_seat_lives(const psy_seat *mine, uint32_t number)
{
    if (!is_seat(number)) {
        return false;
    }
    if (mine->fd < 0 || number == mine->number) {
        return true;
    }
    struct flock l = lock_of(F_WRLCK, number);
    return fcntl(mine->fd, F_OFD_GETLK, &l) != 0 || l.l_type != F_UNLCK;
}

bool psy_seat_seize(const psy_seat *mine, uint32_t number)
{
    return mine->fd >= 0 && number <= PSY_SEAT_LAST && number != mine->number && lock(mine->fd, number) == 0;
}

void psy_seat_unseize(const psy_seat *mine, uint32_t number)
{
    if (mine->fd >= 0 && number <= PSY_SEAT_LAST && number != mine->number) {
        struct flock l = lock_of(F_UNLCK, number);
        (void)fcntl(mine->fd, F_OFD_SETLK, &l);
    }
}

uint32_t psy_seat_pid(const psy_slab *slab, uint32_t number)
{
    return is_seat(number) ? __atomic_load_n(&row(slab, number)->pid, __ATOMIC_RELAXED) : 0;
}

uint32_t psy_seat_epoch(const psy_slab *slab, uint32_t number)
{
    return is_seat(number) ? __atomic_load_n(&row(slab, number)->epoch, __ATOMIC_ACQUIRE) : 0;
}
