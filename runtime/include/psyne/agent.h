/* SPDX-License-Identifier: Apache-2.0 */
/* Work to be done in a caller's own thread where a call would wait: a broker and workers that live inside of their client.
 *
 *   uint32_t work(void *service) { return psy_broker_do_work(broker) + psy_worker_do_work(worker); }
 *   psy_channel_options options = {.agent = {work, service}};
 *
 * psy_service_agent (service.h) is one that is made already.
 */
#ifndef PSYNE_AGENT_H
#define PSYNE_AGENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `work` does a round and returns how much it did, and never blocks. It must not call the channel or worker that calls it. All
 * zeroes: none. */
typedef struct psy_agent {
    uint32_t (*work)(void *context);
    void *context;
} psy_agent;

#ifdef __cplusplus
}
#endif
#endif
