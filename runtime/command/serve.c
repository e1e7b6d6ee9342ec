/* SPDX-License-Identifier: Apache-2.0 */
/* psyne serve: options, what they name, and then the processes. */
#include "command/serve_data.h"
#include "command/serve_supervisor.h"

static void say(void *context, const char *error)
{
    (void)context;
    fprintf(stderr, "psyne: %s\n", error);
}

int psy__serve(int argc, char **argv)
{
    psy__serve_options o;
    psy__served served;
    psy__serve_options_init(&o);
    int status = psy__serve_options_read(&o, argc, argv, say, NULL) ? 0 : 1;
    if (status == 0 && o.print) {
        psy__serve_options_print(&o, stdout);
    } else if (status == 0 && !psy__served_open(&o, say, NULL, &served)) {
        status = 1;
    } else if (status == 0) {
        if (o.check && o.json) {
            psy__served_print_json(&served, &o, stdout);
        } else if (o.check) {
            psy__served_print(&served, &o, stdout);
        } else {
            status = psy__serve_supervise(&o, &served, argc, argv);
        }
        psy__served_close(&served);
    }
    psy__serve_options_fini(&o);
    return status;
}
