/* SPDX-License-Identifier: Apache-2.0 */
/* A client for tests of psyne serve that changes data of served.hrm: `serve_edit ADDRESS KEY VALUE [TIMES]` makes the row of
 * that key in `stored` [VALUE, 0, 0, 0], so many times, and prints the version of the data that has it. */
#include <inttypes.h>
#include <psyne/channel.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t timeout_ns = UINT64_C(20000000000);

int main(int argc, char **argv)
{
    psy_channel *channel;
    const psy_channel_options options = {.in_flight = 1, .connect_timeout_ns = timeout_ns};
    if (argc < 4) {
        fprintf(stderr, "serve_edit: ADDRESS KEY VALUE [TIMES]\n");
        return 2;
    }
    const uint64_t key = strtoull(argv[2], NULL, 10), times = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    const float row[4] = {strtof(argv[3], NULL)};
    const psy_edit edit = {.resident = "stored",
                           .kind = PSY_EDIT_APPEND,
                           .flags = PSY_EDIT_UPSERT,
                           .dtype = PSY_F32,
                           .rank = 2,
                           .dims = {1, 4},
                           .rows = row,
                           .which = &key};
    uint64_t version = 0;
    psy_status status = psy_channel_connect(argv[1], &options, &channel);
    for (uint64_t i = 0; status == PSY_OK && i < times; i++) {
        status = psy_channel_edit(channel, &edit, 1, &version, timeout_ns);
    }
    if (status != PSY_OK) {
        fprintf(stderr, "serve_edit: %s\n", psy_detail());
        return 1;
    }
    psy_channel_close(channel);
    printf("%" PRIu64 "\n", version);
    return 0;
}
