/* SPDX-License-Identifier: Apache-2.0 */
#include <psyne/status.h>

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char detail[512];

const char *psy_status_text(psy_status status)
{
    switch (status) {
#define STATUS(name, number, text, help)                                                                                       \
    case PSY_##name:                                                                                                           \
        return text;
#include <psyne/status.def>
#undef STATUS
    }
    return "unknown status";
}

const char *psy_status_name(psy_status status)
{
    switch (status) {
#define STATUS(name, number, text, help)                                                                                       \
    case PSY_##name:                                                                                                           \
        return #name;
#include <psyne/status.def>
#undef STATUS
    }
    return "UNKNOWN";
}

const char *psy_status_help(psy_status status)
{
    switch (status) {
#define STATUS(name, number, text, help)                                                                                       \
    case PSY_##name:                                                                                                           \
        return help;
#include <psyne/status.def>
#undef STATUS
    }
    return "";
}

const char *psy_detail(void) { return detail; }

psy_status psy_fail(psy_status status, const char *format, ...)
{
    /* Formatted aside first: an argument may be psy_detail() itself. */
    char text[sizeof detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < sizeof text; i++) {
        detail[i] = text[i];
        if (text[i] == '\0') {
            break;
        }
    }
    return status;
}
