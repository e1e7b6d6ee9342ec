/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool psy__terminal_is(FILE *file)
{
    const char *term = getenv("TERM");
    return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

bool psy__terminal_unicode(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static unsigned size_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    const int n = text ? atoi(text) : 0;
    return n > 0 ? (unsigned)n : otherwise;
}

void psy__terminal_size(int fd, unsigned *columns, unsigned *rows)
{
    enum { MOST = 1000 };
    struct winsize w;
    const bool known = ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0;
    *columns = known ? w.ws_col : size_of("COLUMNS", 80);
    *rows = known ? w.ws_row : size_of("LINES", 24);
    *columns = *columns < MOST ? *columns : MOST;
    *rows = *rows < MOST ? *rows : MOST;
}

/* ---- taking it ---- */

/* The other screen, without cursor, and lines that are not wrapped; and back. */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J", leave[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { ENDING = sizeof ending / sizeof ending[0] };

static struct termios before, taken;
static struct sigaction old_ending[ENDING], old_stop, old_continue, old_resize;
static volatile sig_atomic_t have, changed;

static void say(const char *text, size_t n) { (void)!write(STDOUT_FILENO, text, n); }

/* Both are called by handlers too: nothing but what is safe there. */
static void give_back(void)
{
    if (have) {
        have = 0;
        say(leave, sizeof leave - 1);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
}

static void take(void)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &taken);
    say(enter, sizeof enter - 1);
    have = 1;
    changed = 1;
}

/* The signal does then what it would have done. */
static void on_ending(int number)
{
    const int error = errno;
    give_back();
    for (size_t i = 0; i < ENDING; i++) {
        if (ending[i] == number) {
            (void)sigaction(number, &old_ending[i], NULL);
        }
    }
    (void)raise(number);
    errno = error;
}

static void on_stop(int number)
{
    const int error = errno;
    (void)number;
    give_back();
    (void)raise(SIGSTOP);
    errno = error;
}

static void on_continue(int number)
{
    const int error = errno;
    (void)number;
    if (!have) {
        take();
    }
    changed = 1;
    errno = error;
}

static void on_resize(int number)
{
    (void)number;
    changed = 1;
}

bool psy__terminal_open(void)
{
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        return false;
    }
    taken = before;
    taken.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    taken.c_cc[VMIN] = 1;
    taken.c_cc[VTIME] = 0;
    struct sigaction action = {.sa_handler = on_ending};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ENDING; i++) {
        /* Who started it may have had a signal ignored (nohup): so it stays. */
        if (sigaction(ending[i], NULL, &old_ending[i]) == 0 && old_ending[i].sa_handler != SIG_IGN) {
            (void)sigaction(ending[i], &action, NULL);
        }
    }
    action.sa_handler = on_stop;
    (void)sigaction(SIGTSTP, &action, &old_stop);
    action.sa_handler = on_continue;
    (void)sigaction(SIGCONT, &action, &old_continue);
    action.sa_handler = on_resize;
    (void)sigaction(SIGWINCH, &action, &old_resize);
    take();
    return true;
}

void psy__terminal_close(void)
{
    give_back();
    for (size_t i = 0; i < ENDING; i++) {
        (void)sigaction(ending[i], &old_ending[i], NULL);
    }
    (void)sigaction(SIGTSTP, &old_stop, NULL);
    (void)sigaction(SIGCONT, &old_continue, NULL);
    (void)sigaction(SIGWINCH, &old_resize, NULL);
}

/* ---- keys ---- */

static int byte_within(int timeout_ms)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char byte;
    const int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0) {
        return PSY_KEY_NONE;
    }
    const ssize_t n = read(STDIN_FILENO, &byte, 1);
    return n == 1 ? byte : n < 0 && (errno == EINTR || errno == EAGAIN) ? PSY_KEY_NONE : PSY_KEY_GONE;
}

/* What follows ESC: "[A", "[5~", "OH". Sequences that nobody knows are swallowed. */
static int sequence(void)
{
    enum { PART_MS = 25 };
    int number = 0, byte = byte_within(PART_MS);
    if (byte != '[' && byte != 'O') {
        return byte == PSY_KEY_NONE ? 27 : byte;
    }
    while ((byte = byte_within(PART_MS)) >= '0' && byte <= '?') {
        number = byte <= '9' && number < 1000 ? 10 * number + byte - '0' : number;
    }
    switch (byte) {
    case 'A': return PSY_KEY_UP;
    case 'B': return PSY_KEY_DOWN;
    case 'H': return PSY_KEY_HOME;
    case 'F': return PSY_KEY_END;
    case '~':
        return number == 5   ? PSY_KEY_PAGE_UP
               : number == 6 ? PSY_KEY_PAGE_DOWN
               : number == 1 ? PSY_KEY_HOME
               : number == 4 ? PSY_KEY_END
                             : PSY_KEY_NONE;
    default: return PSY_KEY_NONE;
    }
}

int psy__terminal_key(int timeout_ms)
{
    if (!changed) {
        const int key = byte_within(timeout_ms); /* a signal ends the wait */
        if (key != PSY_KEY_NONE) {
            return key == 27 ? sequence() : key;
        }
    }
    if (changed) {
        changed = 0;
        return PSY_KEY_RESIZE;
    }
    return PSY_KEY_NONE;
}
