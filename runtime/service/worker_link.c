/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker says: clients that come and go, and its own death. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/worker_state.h"

static void retire(psy_worker *w, uint32_t channel)
{
    psy__patron *patron = w->patrons[channel];
    if (patron) {
        w->patrons[channel] = NULL;
        patron->next_retired = w->retired;
        w->retired = patron;
    }
}

void psy__worker_sweep(psy_worker *w)
{
    while (w->retired) {
        psy__patron *patron = w->retired;
        w->retired = patron->next_retired;
        psy__counting_end(&w->counting, &patron->completions);
        w->engine->interface->detach(w->engine, psy_slab_base(patron->slab));
        psy_slab_destroy(patron->slab);
        psy_bell_close(&patron->bell);
        free(patron);
    }
}

void psy__worker_drop_patrons(psy_worker *w)
{
    for (uint32_t i = 0; i < w->patron_count; i++) {
        retire(w, i);
    }
    if (w->engine) {
        psy__worker_sweep(w);
    }
}

/* The broker has checked the client; its slab is checked again, since the file is the client's. */
static psy_status add_patron(psy_worker *w, const psy__channel_said *said, int fds[2])
{
    uint64_t need = psy__responses_bytes(said->reply_slots, said->reply_stride, w->places + 1);
    if (said->channel >= PSY_PATRONS_MAX || need == 0 || said->reply_stride != w->reply_bytes) {
        return psy_fail(PSY_PROTOCOL, "the broker announced a client with impossible slots");
    }
    psy__patron *patron = calloc(1, sizeof *patron);
    if (!patron) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a client");
    }
    psy_status status = psy_slab_adopt(fds[0], UINT64_C(1) << 36, &patron->slab);
    fds[0] = -1;
    if (status == PSY_OK) {
        status = psy_bell_adopt(fds[1], &patron->bell); /* closed with fds if the rest fails */
    }
    if (status == PSY_OK && psy_slab_data_bytes(patron->slab) < need) {
        status = psy_fail(PSY_PROTOCOL, "a client's response slab is smaller than agreed");
    }
    if (status == PSY_OK) {
        psy__responses_view(&patron->responses, psy_slab_data(patron->slab), said->reply_slots, said->reply_stride,
                            w->places + 1);
        uint64_t bytes;
        void *at = psy__completions_at(&patron->responses, w->place, &bytes);
        status = psy_ring_attach(&patron->completions, PSY_RING_PRODUCER, at, bytes, 8, patron->responses.completion_slots);
    }
    if (status == PSY_OK) {
        status = w->engine->interface->attach(w->engine, psy_slab_base(patron->slab), psy_slab_bytes(patron->slab));
    }
    if (status != PSY_OK) {
        psy_slab_destroy(patron->slab);
        free(patron);
        return status;
    }
    psy__counting_begin(&w->counting, &patron->completions, patron->slab, "client %u completions shard %u", said->channel,
                        w->place);
    patron->epoch = said->epoch;
    fds[1] = -1;
    retire(w, said->channel);
    w->patrons[said->channel] = patron;
    w->patron_count = said->channel >= w->patron_count ? said->channel + 1 : w->patron_count;
    return PSY_OK;
}

void psy__worker_end(psy_worker *w, psy_status status)
{
    w->dead = true;
    w->end = status;
    snprintf(w->end_text, sizeof w->end_text, "%s", psy_detail());
}

void psy__worker_hear_program(psy_worker *w, psy__control *control)
{
    psy__program_said said;
    uint32_t files = control->fd_count; /* none where the worker has the module */
    psy_status status = files > 1 ? psy_fail(PSY_PROTOCOL, "a program with %u files", files)
                                  : psy__heard(control, PSY_SAY_PROGRAM, &said, sizeof said, files);
    if (status == PSY_OK && files == 0 && said.bytes != 0) {
        status = psy_fail(PSY_PROTOCOL, "a program without its module");
    }
    if (status == PSY_OK) {
        status = psy__worker_program_arrives(w, &said, &control->fds[0]);
    }
    if (status != PSY_OK) { /* the broker waits for an answer that this worker cannot give */
        psy__worker_end(w, status);
    }
}

/* Where payloads lie that come by reference. They are mapped when it is known what the engine needs. */
psy_status psy__worker_take_payloads(psy_worker *w, psy__control *control)
{
    psy__payloads_said said;
    psy_status status = psy__heard(control, PSY_SAY_PAYLOADS, &said, sizeof said, 1);
    if (status == PSY_OK && (w->payload_slots || said.slots == 0 || said.slots > w->gather.tickets * 2 ||
                             said.stride != w->requests.stride - PSY_FRAME_PAYLOAD)) {
        status = psy_fail(PSY_PROTOCOL, "the service's memory for payloads makes no sense");
    }
    if (status == PSY_OK) {
        w->payload_slots = said.slots;
        w->payload_stride = said.stride;
        w->payload_fd = control->fds[0];
        control->fds[0] = -1;
    }
    return status;
}

/* Only the broker writes there; but a device that imports memory pins it for writing. */
psy_status psy__worker_map_payloads(psy_worker *w)
{
    if (w->payload_fd < 0) {
        return PSY_OK;
    }
    psy_slab_adopt_options options = {.max_bytes = UINT64_C(1) << 40,
                                      .access = w->engine == w->cpu ? PSY_SLAB_READ_ONLY : PSY_SLAB_READ_WRITE};
    psy_status status = psy_slab_adopt_with(w->payload_fd, &options, &w->payload_slab);
    w->payload_fd = -1;
    if (status == PSY_OK && psy_slab_data_bytes(w->payload_slab) < (uint64_t)w->payload_slots * w->payload_stride) {
        status = psy_fail(PSY_PROTOCOL, "the service's memory for payloads is smaller than it says");
    }
    if (status == PSY_OK) {
        w->payloads = psy_slab_data(w->payload_slab);
    }
    return status;
}

void psy__worker_links(psy_worker *w)
{
    while (!w->dead) {
        psy__control control;
        psy__event event = psy__link_poll(w->link, &control);
        if (event == PSY_EVENT_NONE) {
            return;
        }
        if (event == PSY_EVENT_CLOSED) {
            w->dead = true;
            psy__worker_lost(w);
            return;
        }
        psy__channel_said channel;
        psy__gone gone;
        psy__program_gone program_gone;
        psy_status status;
        bool fatal;
        if (psy__heard_refusal(&control, &status, &fatal)) {
            psy__worker_end(w, status);
            psy__worker_lost(w);
        } else if (psy__heard_what(&control) == PSY_SAY_GONE) {
            if (psy__heard(&control, PSY_SAY_GONE, &gone, sizeof gone, 0) == PSY_OK && gone.channel < PSY_PATRONS_MAX &&
                w->patrons[gone.channel] && w->patrons[gone.channel]->epoch == gone.epoch) {
                retire(w, gone.channel);
            }
        } else if (psy__heard_what(&control) == PSY_SAY_PROGRAM) {
            psy__worker_hear_program(w, &control);
        } else if (psy__heard_what(&control) == PSY_SAY_PROGRAM_GONE) {
            if (psy__heard(&control, PSY_SAY_PROGRAM_GONE, &program_gone, sizeof program_gone, 0) == PSY_OK) {
                psy__worker_program_goes(w, program_gone.number);
            }
        } else if (psy__heard_what(&control) >= PSY_SAY_EDIT_STAGE && psy__heard_what(&control) <= PSY_SAY_EDIT_GONE) {
            status = psy__worker_hear_edit(w, &control);
            if (status != PSY_OK) {
                psy__worker_end(w, status);
            }
        } else if (psy__heard_what(&control) == PSY_SAY_EXPORT || psy__heard_what(&control) == PSY_SAY_TAKE ||
                   psy__heard_what(&control) == PSY_SAY_MOVED || psy__heard_what(&control) == PSY_SAY_DISMISSED) {
            status = psy__worker_hear_move(w, &control);
            if (status != PSY_OK) {
                psy__worker_end(w, status);
            }
        } else if (psy__heard_what(&control) == PSY_SAY_SNAPSHOT || psy__heard_what(&control) == PSY_SAY_SNAPSHOT_GONE) {
            status = psy__worker_hear_snapshot(w, &control);
            if (status != PSY_OK) {
                psy__worker_end(w, status);
            }
        } else if (psy__heard(&control, PSY_SAY_CHANNEL, &channel, sizeof channel, 2) == PSY_OK) {
            status = add_patron(w, &channel, control.fds);
            if (status != PSY_OK) { /* the broker ends what cannot be answered */
                PSY__TELL(&w->events, MEMORY_REFUSED, PSY__NUMBER(channel.channel), PSY__TEXT(psy_status_name(status)),
                          PSY__TEXT(psy_detail()));
                psy__gone without = {.channel = channel.channel, .epoch = channel.epoch};
                (void)!psy__say(w->link, PSY_SAY_GONE, &without, sizeof without, NULL, 0);
            }
        }
        psy__close_fds(control.fds, control.fd_count);
    }
}

psy__patron *psy__worker_patron(psy_worker *w, uint32_t channel, uint32_t epoch)
{
    if (channel >= PSY_PATRONS_MAX) {
        return NULL;
    }
    if (!w->patrons[channel] || w->patrons[channel]->epoch != epoch) {
        psy__worker_links(w);
    }
    psy__patron *patron = w->patrons[channel];
    return patron && patron->epoch == epoch ? patron : NULL;
}
