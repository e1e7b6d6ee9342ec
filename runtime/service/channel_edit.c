/* SPDX-License-Identifier: Apache-2.0 */
/* A change of the service's data that a client asks for. */
#include "service/channel_state.h"
#include "service/edit_file.h"

psy_status psy_channel_edit(psy_channel *c, const psy_edit *edits, uint32_t count, uint64_t *version, uint64_t timeout_ns)
{
    if (!c) {
        return psy_fail(PSY_INVALID, "psy_channel_edit: a null argument");
    }
    if (c->dead) {
        return psy__channel_closed(c);
    }
    psy__edit edit;
    psy_status status = psy__edit_make(edits, count, &edit);
    if (status != PSY_OK) {
        return status;
    }
    psy__edit_sent said;
    psy__edited edited;
    status = psy__say(c->link, PSY_SAY_EDIT, &said, sizeof said, &edit.fd, 1);
    psy__edit_close(&edit);
    status = psy__channel_ask(c, status, PSY_SAY_EDITED, &edited, sizeof edited, NULL, 0, timeout_ns);
    if (status == PSY_OK && version) {
        *version = edited.version;
    }
    return status;
}
