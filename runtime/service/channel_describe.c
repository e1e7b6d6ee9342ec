/* SPDX-License-Identifier: Apache-2.0 */
/* What a service says of its pipelines. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/channel_state.h"
#include "service/module_file.h"

psy_status psy_channel_describe(psy_channel *c, const char *pipeline, psy_module **out)
{
    psy__describe said = {.pipeline = ""};
    if (!c || !pipeline || !out || strlen(pipeline) >= sizeof said.pipeline) {
        return psy_fail(PSY_INVALID, "psy_channel_describe: a null argument, or a name of more than %zu bytes",
                        sizeof said.pipeline - 1);
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    memcpy(said.pipeline, pipeline, strlen(pipeline));
    psy__described described;
    int fd = -1;
    psy_status status = psy__say(c->link, PSY_SAY_DESCRIBE, &said, sizeof said, NULL, 0);
    status = psy__channel_ask(c, status, PSY_SAY_DESCRIBED, &described, sizeof described, &fd, 1, c->connect_timeout_ns);
    if (status != PSY_OK) {
        return status;
    }
    status = psy__module_receive(fd, c->peer, described.bytes, out);
    psy__close_fds(&fd, 1);
    if (status == PSY_OK && psy_module_hash(*out) != described.hash) {
        psy_module_close(*out);
        status =
            psy_fail(PSY_PROTOCOL, "%s: the module of pipeline %s is not the one that the service says", c->peer, pipeline);
    }
    return status;
}

/* Text of a peer, which may have no end. */
#define TAKE_TEXT(to, from) snprintf((to), sizeof(to), "%.*s", (int)sizeof(from) - 1, (from))

static psy_status list_page(psy_channel *c, psy_list_place *place, psy_listing *rows, uint32_t most, uint32_t *count)
{
    psy__list said = {.program = place->program, .pipeline = place->pipeline, .most = most};
    psy__listed listed;
    psy_status status = psy__say(c->link, PSY_SAY_LIST, &said, sizeof said, NULL, 0);
    status = psy__channel_ask(c, status, PSY_SAY_LISTED, &listed, sizeof listed, NULL, 0, c->connect_timeout_ns);
    if (status != PSY_OK) {
        return status;
    }
    bool onward = listed.program > place->program || (listed.program == place->program && listed.pipeline > place->pipeline);
    if (listed.count > most || (listed.count > 0 && !onward)) {
        return psy_fail(PSY_PROTOCOL, "%s: the list of pipelines makes no sense", c->peer);
    }
    for (uint32_t i = 0; i < listed.count; i++) {
        const struct psy__listed_row *from = &listed.rows[i];
        psy_listing *to = &rows[i];
        *to = (psy_listing){.request_hash = from->request_hash,
                            .reply_hash = from->reply_hash,
                            .version = from->version,
                            .newest = (from->flags & PSY_LISTED_NEWEST) != 0,
                            .own = (from->flags & PSY_LISTED_OWN) != 0};
        TAKE_TEXT(to->program, from->program);
        TAKE_TEXT(to->pipeline, from->pipeline);
        TAKE_TEXT(to->request_name, from->request_name);
        TAKE_TEXT(to->reply_name, from->reply_name);
    }
    *place = (psy_list_place){.program = listed.program, .pipeline = listed.pipeline};
    *count = listed.count;
    return PSY_OK;
}

psy_status psy_channel_list(psy_channel *c, psy_list_place *place, psy_listing *rows, uint32_t max, uint32_t *count)
{
    if (!c || !place || !rows || !count || max == 0) {
        return psy_fail(PSY_INVALID, "psy_channel_list: a null or zero argument");
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    uint32_t n = 0, got = 0, most;
    do {
        most = max - n < PSY_LISTED_MAX ? max - n : PSY_LISTED_MAX;
        psy_status status = list_page(c, place, rows + n, most, &got);
        if (status != PSY_OK) {
            return status;
        }
        n += got;
    } while (got == most && n < max);
    *count = n;
    return n ? PSY_OK : PSY_EMPTY;
}
