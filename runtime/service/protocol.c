/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

psy_status psy__say(psy__link *link, psy__word what, void *message, uint32_t bytes, const int *fds, uint32_t fd_count)
{
    psy__control control = {.bytes = bytes, .fd_count = fd_count};
    psy__said said = {PSY_PROTOCOL_MAGIC, PSY_PROTOCOL_MAJOR, PSY_PROTOCOL_MINOR, (uint32_t)what, bytes};
    memcpy(message, &said, sizeof said);
    memcpy(control.data, message, bytes);
    for (uint32_t i = 0; i < fd_count; i++) {
        control.fds[i] = fds[i];
    }
    return psy__link_send(link, &control, 1);
}

psy_status psy__introduce(psy__link *link, psy__hello *hello)
{
    psy_status status = psy__say(link, PSY_SAY_HELLO, hello, sizeof *hello, NULL, 0);
    return status == PSY_PEER_DIED ? PSY_OK : status;
}

psy__word psy__heard_what(const psy__control *control)
{
    psy__said said;
    if (control->bytes < sizeof said) {
        return (psy__word)0;
    }
    memcpy(&said, control->data, sizeof said);
    return said.magic == PSY_PROTOCOL_MAGIC ? (psy__word)said.what : (psy__word)0;
}

psy_status psy__heard(const psy__control *control, psy__word what, void *message, uint32_t bytes, uint32_t fd_count)
{
    psy__said said;
    if (control->bytes < sizeof said) {
        return psy_fail(PSY_PROTOCOL, "a control message of %u bytes", control->bytes);
    }
    memcpy(&said, control->data, sizeof said);
    if (said.magic != PSY_PROTOCOL_MAGIC) {
        return psy_fail(PSY_PROTOCOL, "the peer does not speak this protocol (first word %08x)", said.magic);
    }
    if (said.major != PSY_PROTOCOL_MAJOR) {
        return psy_fail(PSY_VERSION, "the peer speaks protocol %u.%u, this side %u.%u", said.major, said.minor,
                        PSY_PROTOCOL_MAJOR, PSY_PROTOCOL_MINOR);
    }
    if (said.what != (uint32_t)what || said.bytes != bytes || control->bytes != bytes || control->fd_count != fd_count) {
        return psy_fail(PSY_PROTOCOL, "message %u of %u bytes and %u files came where %u of %u bytes and %u files was due",
                        said.what, control->bytes, control->fd_count, (unsigned)what, bytes, fd_count);
    }
    memcpy(message, control->data, bytes);
    return PSY_OK;
}

bool psy__heard_refusal(const psy__control *control, psy_status *status, bool *fatal)
{
    psy__refused refused;
    if (psy__heard_what(control) != PSY_SAY_REFUSED ||
        psy__heard(control, PSY_SAY_REFUSED, &refused, sizeof refused, 0) != PSY_OK) {
        return false;
    }
    refused.text[sizeof refused.text - 1] = '\0';
    *fatal = refused.fatal != 0;
    *status = psy_fail(refused.status == PSY_OK ? PSY_PROTOCOL : (psy_status)refused.status, "%s", refused.text);
    return true;
}

bool psy__bide(psy__link *link, const psy__patience *patience)
{
    const psy_agent *agent = &patience->agent;
    uint64_t now = psy__now_ns();
    if (now >= patience->deadline_ns) {
        return false;
    }
    if (!agent->work || agent->work(agent->context) == 0) {
        uint64_t left_ms = (patience->deadline_ns - now) / 1000000 + 1, most_ms = agent->work ? 1 : 1000;
        struct pollfd p = {.fd = link ? psy__link_fd(link) : -1, .events = POLLIN};
        (void)poll(&p, 1, (int)(left_ms < most_ms ? left_ms : most_ms));
    }
    return true;
}

psy_status psy__call_up(const char *uri, const psy__patience *patience, psy__link **out)
{
    uint64_t now = psy__now_ns();
    if (!patience->agent.work) {
        return psy__connect(uri, patience->deadline_ns > now ? patience->deadline_ns - now : 0, out);
    }
    psy_status status;
    do {
        status = psy__connect(uri, 0, out);
    } while (status == PSY_UNREACHABLE && psy__bide(NULL, patience));
    return status;
}

psy_status psy__await_any(psy__link *link, psy__control *control, bool *refused, const psy__patience *patience)
{
    if (refused) {
        *refused = false;
    }
    for (;;) {
        psy__event event = psy__link_poll(link, control);
        if (event == PSY_EVENT_CLOSED) {
            return psy_fail(PSY_PEER_DIED, "the service closed the connection");
        }
        if (event == PSY_EVENT_CONTROL) {
            psy_status status;
            bool fatal;
            if (!psy__heard_refusal(control, &status, &fatal)) {
                return PSY_OK;
            }
            psy__close_fds(control->fds, control->fd_count);
            if (refused) {
                *refused = !fatal;
            }
            return status;
        }
        if (!psy__bide(link, patience)) {
            return psy_fail(PSY_TIMEOUT, "the service did not answer in time");
        }
    }
}

psy_status psy__hear_this(psy__control *control, psy__word what, void *message, uint32_t bytes, int *fds, uint32_t fd_count)
{
    psy_status status;
    bool fatal;
    if (!psy__heard_refusal(control, &status, &fatal)) {
        status = psy__heard(control, what, message, bytes, fd_count);
    }
    if (status != PSY_OK) {
        psy__close_fds(control->fds, control->fd_count);
        return status;
    }
    for (uint32_t i = 0; i < fd_count; i++) {
        fds[i] = control->fds[i];
    }
    return PSY_OK;
}

psy_status psy__hear_now(psy__link *link, psy__word what, void *message, uint32_t bytes, int *fds, uint32_t fd_count)
{
    psy__control control;
    switch (psy__link_poll(link, &control)) {
    case PSY_EVENT_NONE: return PSY_EMPTY;
    case PSY_EVENT_CLOSED: break;
    case PSY_EVENT_CONTROL: return psy__hear_this(&control, what, message, bytes, fds, fd_count);
    }
    return psy_fail(PSY_PEER_DIED, "the service closed the connection");
}

psy_status psy__await(psy__link *link, psy__word what, void *message, uint32_t bytes, int *fds, uint32_t fd_count,
                      const psy__patience *patience)
{
    psy__control control;
    psy_status status = psy__await_any(link, &control, NULL, patience);
    return status == PSY_OK ? psy__hear_this(&control, what, message, bytes, fds, fd_count) : status;
}

void psy__refuse(psy__link *link, psy_status status, int fatal)
{
    psy__refused refused = {.status = (uint32_t)status, .fatal = (uint32_t)fatal};
    snprintf(refused.text, sizeof refused.text, "%s", psy_detail());
    (void)!psy__say(link, PSY_SAY_REFUSED, &refused, sizeof refused, NULL, 0); /* a peer that does not read misses it */
}

void psy__close_fds(int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}
