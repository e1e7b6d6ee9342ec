/* SPDX-License-Identifier: Apache-2.0 */
/* The page with live plots, which is page.html as a text. */
#ifndef PSY_TELEMETRY_PAGE_H
#define PSY_TELEMETRY_PAGE_H

extern const char psy__telemetry_page[];

#endif
