/* SPDX-License-Identifier: Apache-2.0 */
#include "command/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Three digits. */
static const char *scaled(char *to, size_t room, double value, const char *unit)
{
    const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(to, room, "%.*f%s%s", digits, value, *unit ? " " : "", unit);
    return to;
}

const char *psy__time_text(char *to, size_t room, uint64_t ns, bool unicode)
{
    const uint64_t seconds = ns / 1000000000;
    if (ns < 1000) {
        snprintf(to, room, "%" PRIu64 " ns", ns);
        return to;
    }
    if (ns < 999500) {
        return scaled(to, room, (double)ns / 1e3, unicode ? "\xc2\xb5s" : "us");
    }
    if (ns < 999500000) {
        return scaled(to, room, (double)ns / 1e6, "ms");
    }
    if (seconds < 100) {
        return scaled(to, room, (double)ns / 1e9, "s");
    }
    if (seconds < 6000) {
        snprintf(to, room, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    } else {
        snprintf(to, room, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds / 60 % 60);
    }
    return to;
}

const char *psy__count_text(char *to, size_t room, double count)
{
    static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
    size_t i = 0;
    if (count < 999.5) {
        snprintf(to, room, "%.*f", count < 9.995 && count != (double)(uint64_t)count ? 1 : 0, count);
        return to;
    }
    for (count /= 1e3; count >= 999.5 && i + 1 < sizeof units / sizeof units[0]; i++) {
        count /= 1e3;
    }
    return scaled(to, room, count, units[i]);
}

const char *psy__bytes_text(char *to, size_t room, double bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    if (bytes < 1023.5) {
        snprintf(to, room, "%.0f B", bytes);
        return to;
    }
    for (bytes /= 1024; bytes >= 999.5 && i + 1 < sizeof units / sizeof units[0]; i++) {
        bytes /= 1024;
    }
    return scaled(to, room, bytes, units[i]);
}

const char *psy__bar(char *to, double part, unsigned columns, bool unicode, bool whole)
{
    /* Blocks of one to eight eighths: U+258F to U+2588. */
    const unsigned steps = unicode ? 8 : 1;
    columns = columns < PSY_BAR_COLUMNS_MAX ? columns : PSY_BAR_COLUMNS_MAX;
    const double most = (double)columns * steps;
    double wanted = part > 0 ? part * most + 0.5 : 0;
    wanted = wanted < 1 && part > 0 ? 1 : wanted;
    unsigned left = wanted >= most ? columns * steps : (unsigned)wanted;
    char *at = to;
    for (unsigned i = 0; i < columns && (left > 0 || whole); i++) {
        if (left == 0) {
            *at++ = unicode ? ' ' : '.';
        } else if (!unicode) {
            *at++ = '#';
            left--;
        } else {
            const unsigned eighths = left < 8 ? left : 8;
            *at++ = (char)0xe2;
            *at++ = (char)0x96;
            *at++ = (char)(0x90 - eighths);
            left -= eighths;
        }
    }
    *at = '\0';
    return to;
}

unsigned psy__columns(const char *text)
{
    unsigned n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

int psy__padding(const char *text, unsigned columns) { return (int)(columns + strlen(text) - psy__columns(text)); }
