/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failure.h"

#include <errno.h>
#include <string.h>

psy_status psy__system_failure(const char *what, const char *call, int error)
{
    psy_status status = PSY_IO;
    const char *advice = "";
    switch (error) {
    case ENOMEM:
    case ENOSPC: status = PSY_NO_MEMORY; break;
    case EMFILE:
        status = PSY_LIMIT;
        advice = " (raise the limit of open files)";
        break;
    case ENFILE:
    case EAGAIN: status = PSY_LIMIT; break;
    case EACCES:
    case EPERM: status = PSY_DENIED; break;
    default: break;
    }
    return psy_fail(status, "%s%s%s: %s%s", what ? what : "", what ? ": " : "", call, strerror(error), advice);
}
