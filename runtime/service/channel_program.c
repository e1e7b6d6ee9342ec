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

psy_status psy__channel_ask(psy_channel *c, psy_status said, psy__word what, void *answer, uint32_t bytes, int *fds,
                            uint32_t fd_count, uint64_t timeout_ns)
{
    const psy__patience patience = {c->agent, psy__add_ns(psy__now_ns(), timeout_ns)};
    psy__control control;
    bool refused = false;
    psy_status status = said == PSY_OK ? psy__await_any(c->link, &control, &refused, &patience) : said;
    if (said != PSY_OK && said != PSY_PEER_DIED) {
        return said; /* nothing was asked */
    }
    status = status == PSY_OK ? psy__hear_this(&control, what, answer, bytes, fds, fd_count) : status;
    if (status != PSY_OK && !refused) { /* an answer that comes later would be taken for that to another question */
        psy__channel_end(c);
        return status == PSY_PEER_DIED ? psy__channel_closed(c) : status;
    }
    return status;
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
    psy__sent sent;
    psy_status status =
        psy__channel_ask(c, say_send(c, bytes, n, name), PSY_SAY_SENT, &sent, sizeof sent, NULL, 0, c->connect_timeout_ns);
    if (status == PSY_OK && version) {
        *version = sent.version;
    }
    return status;
}
