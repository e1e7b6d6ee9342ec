/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the client's own. */
#include <string.h>

#include "base/clock.h"
#include "service/channel_state.h"

/* The module in memory that can be handed over. */
static psy_status say_send(psy_channel *c, const void *bytes, size_t n, const char *name)
{
    psy__send said = {.bytes = n};
    psy_slab_options options = {.bytes = n, .name = "psyne-module"};
    psy_slab *slab;
    psy_status status = psy_slab_create(&options, &slab);
    if (status == PSY_OK) {
        memcpy(psy_slab_data(slab), bytes, n);
        memcpy(said.name, name, strlen(name));
        int fd = psy_slab_fd(slab);
        status = psy__say(c->link, PSY_SAY_SEND, &said, sizeof said, &fd, 1);
        psy_slab_destroy(slab);
    }
    return status;
}

psy_status psy__channel_no_answer(psy_channel *c, psy_status status)
{
    psy__channel_end(c);
    return status == PSY_PEER_DIED ? psy__channel_closed(c) : status;
}

psy_status psy_channel_send_program(psy_channel *c, const void *bytes, size_t n, const char *name, uint32_t *version)
{
    if (!c || !bytes || !n || !name || strlen(name) >= PSY_PROGRAM_NAME_BYTES) {
        return psy_fail(PSY_INVALID, "psy_channel_send_program: a null argument, or a name of more than %d bytes",
                        PSY_PROGRAM_NAME_BYTES - 1);
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    psy_status status = say_send(c, bytes, n, name);
    if (status != PSY_OK) {
        return status;
    }
    psy__control control;
    psy__sent sent;
    bool refused;
    status = psy__hear_any(c->link, &control, &refused, psy__add_ns(psy__now_ns(), c->connect_timeout_ns));
    if (status == PSY_OK) {
        psy__close_fds(control.fds, control.fd_count);
        status = psy__heard(&control, PSY_SAY_SENT, &sent, sizeof sent, 0);
    }
    if (status == PSY_OK && version) {
        *version = sent.version;
    }
    return status == PSY_OK || refused ? status : psy__channel_no_answer(c, status);
}
