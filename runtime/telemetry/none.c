/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the server, where psyne is built without it. */
#include "telemetry/telemetry.h"

psy_status psy__telemetry_open(const psy__telemetry_options *options, psy__telemetry **out)
{
    (void)options, (void)out;
    return psy_fail(PSY_UNSUPPORTED,
                    "this psyne was built without libmicrohttpd, and serves no metrics; `psyne metrics --once` prints them");
}

const char *psy__telemetry_address(const psy__telemetry *telemetry)
{
    (void)telemetry;
    return "";
}

void psy__telemetry_close(psy__telemetry *telemetry) { (void)telemetry; }
