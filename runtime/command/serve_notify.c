/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t n = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof address.sun_path) {
        return -1;
    }
    memcpy(address.sun_path, name, n);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, bytes) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* For this process, or for whoever reads it. */
static uint64_t watchdog_of(const char *usec, const char *pid)
{
    char *end;
    if (!usec || (pid && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    const unsigned long long us = strtoull(usec, &end, 10);
    return *usec < '0' || *usec > '9' || *end || us > UINT64_MAX / 1000 ? 0 : us * 1000;
}

void psy__notify_open(psy__notify *n)
{
    const char *name = getenv("NOTIFY_SOCKET");
    n->fd = name ? connect_to(name) : -1;
    n->watchdog_ns = n->fd >= 0 ? watchdog_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID")) : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void psy__notify_close(psy__notify *n)
{
    if (n->fd >= 0) {
        close(n->fd);
    }
    n->fd = -1;
}

void psy__notify_say(const psy__notify *n, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (n->fd < 0) {
        return;
    }
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bytes = bytes < (int)sizeof text ? bytes : (int)sizeof text - 1;
    (void)!send(n->fd, text, bytes > 0 ? (size_t)bytes : 0, MSG_NOSIGNAL);
}
