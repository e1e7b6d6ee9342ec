# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal, for tests: what it shows there, what keys and signals do, and what it leaves behind.

    with Terminal(columns, rows, arguments) as t:
        t.until("RING")          # what the screen has to show
        t.keys("q")
        t.ended()                # its exit status; the terminal is as it was

The screen is kept as a terminal would: only the sequences that are sent here are known, any other one is an error."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

LIMIT = 60


class Terminal:
    def __init__(self, columns, rows, arguments, environment=()):
        known, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.close(go)
            os.read(known, 1)                               # until what the terminal is like is known
            os.close(known)
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)       # Python has the last one ignored, and who started it may others
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
            os.environ.update(environment)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.execv(arguments[0], arguments)
        self.status, self.raw, self.waiting = None, b"", b""
        self.alternate, self.cursor, self.wraps, self.colours = False, True, True, set()
        self.resize(columns, rows, False)
        self.before = termios.tcgetattr(self.fd)
        os.close(known)
        os.close(go)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, columns, rows, tell=True):
        self.columns, self.rows = columns, rows
        self.stale = self.resized = tell            # what comes now may be for the old size
        self.clear()
        if tell:
            fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)

    def put(self, character):
        inside = self.row < self.rows and self.column < self.columns
        if self.alternate and (inside or not self.resized):
            assert inside, ("beyond the screen", self.row, self.column, character)
            self.cells[self.row][self.column] = character
            self.column += 1

    def take(self, data):
        """Whole characters and sequences of what came so far."""
        self.raw += data
        text = (self.waiting + data).decode(errors="surrogateescape")
        at = 0
        while at < len(text):
            sequence = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])").match(text, at)
            if sequence:
                self.obey(*sequence.groups())
                at = sequence.end()
            elif text[at] == "\x1b" and re.compile(r"\x1b(\[[?0-9;]*)?$").match(text, at):
                break
            elif re.compile(r"\x1b\[[?0-9;]*(?=\x1b)").match(text, at):
                at = text.index("\x1b", at + 1)     # broken off by a signal: a terminal begins anew too
            elif "\udc80" <= text[at] <= "\udcff" and len(text) - at < 4:
                break
            else:
                assert text[at] >= " " or not self.alternate and text[at] in "\r\n", ("a control character", text[at:at + 20])
                self.put(text[at])
                at += 1
        self.waiting = text[at:].encode(errors="surrogateescape")

    def obey(self, parameters, final):
        if final == "m":
            self.colours.add(parameters)
        elif final == "H":
            self.row, self.column = [int(n) - 1 for n in parameters.split(";")]
        elif (parameters, final) == ("2", "J"):
            self.stale = False
            self.clear()
        elif (parameters, final) == ("", "K"):
            pass                        # of a line that is written again and again
        elif final in "hl" and parameters in ("?1049", "?25", "?7"):
            value = final == "h"
            if parameters == "?1049":
                self.alternate = value
            elif parameters == "?25":
                self.cursor = value
            else:
                self.wraps = value
        else:
            raise AssertionError(("a sequence that is not known", parameters, final))

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.take(data)
        return bool(data)

    def until(self, wanted, gone=False):
        """Reads until the screen shows it, or (gone) does no more."""
        end = time.monotonic() + LIMIT
        found = lambda: (wanted(self) if callable(wanted) else re.search(wanted, self.text(), re.M)) and True or False
        while found() == gone:
            assert time.monotonic() < end, ("never shown", wanted, self.text(), self.raw[-400:])
            self.read(0.2)

    def keys(self, text):
        os.write(self.fd, text.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def ended(self):
        """Its status as the shell has it: 128 and the signal that ended it."""
        end = time.monotonic() + LIMIT
        pid = 0
        while pid == 0:
            assert time.monotonic() < end, "it does not end"
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        while self.read(0):
            pass
        self.status = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        self.restored()
        return self.status

    def restored(self):
        assert not self.alternate and self.cursor and self.wraps, ("the terminal was left", self.alternate, self.cursor, self.wraps)
        assert termios.tcgetattr(self.fd)[3] == self.before[3], "its settings were not given back"
