# SPDX-License-Identifier: Apache-2.0
"""psyne on a terminal: terminal_cases.py PSYNE CASE [ARGUMENT...]. Those of psyne top have the counters of a service that is asked all the time."""
import os, re, signal, sys, time
from on_terminal import Terminal

psyne, case = sys.argv[1:3]
TOP = [psyne, "top", "--every=0.2"]


def frame():
    with Terminal(100, 40, TOP) as t:
        t.until(r"^ psyne top  .* 1 process  every 0.2 s")
        t.until(r"^ [0-9.]+ (k )?requests/s  0 bad/s")
        t.until(r"^s/twice +[0-9]")
        t.until(r"^s/shard 0 requests .*[\u2588-\u2591]")
        assert "0;7" in t.colours and "0;1;36" in t.colours and "0;36" in t.colours, t.colours
        t.until(r"\? help$")
        t.keys("q")
        assert t.ended() == 0


def ascii():
    with Terminal(100, 40, TOP, {"LC_ALL": "C"}) as t:
        t.until(r"^s/shard 0 requests .*[.#]{10}")
        assert all(ord(c) < 128 for c in t.text()), t.text()
        t.keys("q")
        assert t.ended() == 0


def keys():
    with Terminal(100, 16, TOP) as t:
        t.until("sort: name")
        for order in ("busiest", "fullest", "slowest", "errors", "name"):
            t.keys("s")
            t.until("sort: " + order)
        t.keys("r")
        t.until(r"sort: name \(reversed\)")
        t.keys("r-")
        t.until("every 0.1 s")
        t.keys("++")
        t.until("every 0.5 s")
        t.keys("b")
        t.until("^s/client 0 completions broker", gone=True)
        t.keys("b")
        t.keys("\x1b[F")
        t.until("^SERVICE", gone=True)
        t.until("^SLAB")
        t.keys("\x1b[H")
        t.until("^SERVICE")
        t.keys("\x1b[6~")
        t.until("^SERVICE", gone=True)
        t.keys("\x1b[5~")
        t.until("^SERVICE")
        t.keys("j\x1b[B")
        t.until("^SERVICE", gone=True)
        t.keys("k\x1b[A")
        t.until("^SERVICE")
        t.keys("?")
        t.until("the other way round")
        t.keys("x")
        t.until("^SERVICE")
        t.keys("p")
        t.until("PAUSED")
        while t.read(1):
            pass
        still = t.text()
        assert not t.read(1) and t.text() == still
        t.keys(" ")
        t.until("PAUSED", gone=True)
        t.keys("\x1b[99~\x1bOP\x1b")   # nobody's
        t.until("^SERVICE")
        t.keys("q")
        assert t.ended() == 0


def sizes():
    with Terminal(100, 30, TOP) as t:
        t.until("^SERVICE")
        for columns, rows in ((40, 10), (7, 5), (1, 1), (200, 60), (80, 24)):
            t.resize(columns, rows)
            t.until(lambda t: not t.stale)
            while t.read(0.05):
                pass
        t.resized = False               # from here on nothing may be beyond it
        t.until("^SERVICE")
        for order in ("busiest", "fullest"):
            t.keys("s")
            t.until("sort: " + order)
        t.keys("q")
        assert t.ended() == 0


def ends():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGABRT, signal.SIGSEGV):
        with Terminal(80, 24, TOP, {"ASAN_OPTIONS": "handle_segv=0:handle_abort=0", "TSAN_OPTIONS": "handle_segv=0:handle_abort=0"}) as t:
            t.until("^SERVICE")
            t.kill(number)
            assert t.ended() == 128 + number, (t.status, number)
    with Terminal(80, 24, TOP) as t:
        t.until("^SERVICE")
        t.keys("\x03")
        assert t.ended() == 128 + signal.SIGINT


def stops():
    with Terminal(80, 24, TOP) as t:
        t.until("^SERVICE")
        t.keys("\x1a")
        end = time.monotonic() + 60
        while True:
            pid, status = os.waitpid(t.pid, os.WNOHANG | os.WUNTRACED)
            if pid:
                break
            assert time.monotonic() < end, "it does not stop"
            t.read(0.05)
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP, status
        while t.read(0):
            pass
        t.restored()
        t.kill(signal.SIGCONT)
        t.until(lambda t: t.alternate and "SERVICE" in t.text())
        t.keys("q")
        assert t.ended() == 0


def dumb():
    with Terminal(100, 40, [psyne, "top", "--every=0.1"], {"TERM": "dumb"}) as t:
        assert t.ended() == 0
        assert b"\x1b" not in t.raw and b"SERVICE" in t.raw, t.raw


def progress():
    """Of psyne bench, with these arguments: for two seconds and more."""
    with Terminal(100, 40, [psyne, "bench", *sys.argv[3:]]) as t:
        t.until(lambda t: re.search(rb"\rbench  [^\r]*\xe2\x96[^\r]* %  [^\r]*replies/s", t.raw))
        assert t.ended() == 0
        assert re.search(rb"\r\x1b\[K[^\r]*RATE|\r\x1b\[Ktwice at", t.raw), t.raw[-600:]       # the bar is gone before the table
    with Terminal(20, 10, [psyne, "bench", *sys.argv[3:]]) as t:
        t.until(lambda t: re.search(rb"\rbench  [ 0-9]{3} %", t.raw))
        assert t.ended() == 0
        lines = re.split(rb"\r", t.raw.split(b"twice at")[0])
        assert all(len(re.sub(rb"\x1b\[K", b"", line).decode().strip("\n")) < 20 for line in lines), lines


globals()[case]()
