# SPDX-License-Identifier: Apache-2.0
"""Strangers at a server of metrics: `hostile.py PORT`. Everyone of them is answered, or hung up on in time, and in between and
afterwards who asks properly is answered. Prints what went wrong; exit status 0: nothing did."""
import random, socket, sys, time

PORT = int(sys.argv[1])


def connect():
    s = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def rest(s):
    got = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return got
            got += more
    except ConnectionError:
        return got


def ask(text, close=True):
    with connect() as s:
        try:
            s.sendall(text)
        except ConnectionError:
            pass
        return rest(s)


def proper(because):
    began = time.monotonic()
    got = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 "), (because, got[:200])
    assert b"psyne_build_info" in got, (because, got[-200:])
    assert time.monotonic() - began < 15, because


def status(text):
    got = ask(text)
    return got.split(b" ")[1] if got.startswith(b"HTTP/1.") else b""


proper("before all")
# Requests that are none, or more than there may be.
assert status(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello") == b"405"
assert status(b"DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"405"
assert status(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b"404"
assert status(b"GET /metrics%00x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") in (b"404", b"400", b"200")
assert status(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n") in (b"", b"413", b"414", b"431")
assert status(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n") in (b"", b"413", b"431")
assert status(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n") in (b"", b"413", b"431")
head = ask(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n"), head[-100:]
two = ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
assert two.count(b"HTTP/1.1 200 ") == 2, two
proper("after bad requests")

# Bytes at random, and good requests that were changed.
dice, waiting = random.Random(7), []
good = b"GET /data.json HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n"
for i in range(300):
    if i % 3 == 0:
        text = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 2000)))
    else:
        text = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            text[dice.randrange(len(text))] = dice.randrange(256)
        text = bytes(text[:dice.randrange(1, len(text) + 1)])
    s = connect()
    try:
        s.sendall(text)
        s.shutdown(socket.SHUT_WR)
        s.settimeout(0.2)
        rest(s)
        s.close()
    except TimeoutError:
        waiting.append(s)  # looked at again when all have been sent
    except ConnectionError:
        s.close()
proper("after nonsense")
for s in waiting:
    s.settimeout(20)
    rest(s)  # they have been hung up on
    s.close()

# Many who say nothing, or little by little, and never come to an end: who asks is answered all the same.
slow = []
for i in range(200):
    try:
        s = connect()
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-")
        slow.append(s)
    except OSError:
        pass
    if i % 40 == 39:
        proper("among %d who never finish" % len(slow))
for _ in range(3):
    for s in slow:
        try:
            s.sendall(b"a")
        except OSError:
            pass
    proper("while they go on")
for s in slow:
    s.close()
# Who asks for much, and reads nothing.
deaf = []
for _ in range(60):
    try:
        s = connect()
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        deaf.append(s)
    except OSError:
        pass
proper("among those who do not read")
for s in deaf:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()
proper("after all")
