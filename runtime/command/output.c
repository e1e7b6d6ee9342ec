/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"

static bool is_standard(const char *path) { return !path || strcmp(path, "-") == 0; }

void psy__output_not_to_terminal(const char *path)
{
    if (is_standard(path) && isatty(STDOUT_FILENO)) {
        psy__misuse("-o names a file", "messages are no text: they are not written to a terminal");
    }
}

psy_status psy__output_open(psy__output *o, const char *path)
{
    *o = (psy__output){.to = stdout, .path = path};
    if (is_standard(path)) {
        return PSY_OK;
    }
    if (asprintf(&o->temporary, "%s.XXXXXX", path) < 0) {
        psy__no_memory();
    }
    const int fd = mkstemp(o->temporary);
    o->to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!o->to) {
        const psy_status status = psy_fail(PSY_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
            unlink(o->temporary);
        }
        free(o->temporary);
        o->temporary = NULL;
        return status;
    }
    const mode_t mask = umask(0);
    umask(mask);
    (void)!fchmod(fd, 0666 & ~mask);
    return PSY_OK;
}

psy_status psy__output_close(psy__output *o, bool good)
{
    psy_status status = PSY_OK;
    bool written = !ferror(o->to) && fflush(o->to) == 0;
    if (o->temporary) {
        written = fclose(o->to) == 0 && written;
        written = written && (!good || rename(o->temporary, o->path) == 0);
    }
    if (!written) {
        status = psy_fail(PSY_IO, "%s: %s", o->temporary ? o->path : "standard output", strerror(errno));
    }
    if (o->temporary && (!good || !written)) {
        unlink(o->temporary);
    }
    free(o->temporary);
    o->temporary = NULL;
    o->to = NULL;
    return status;
}
