# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that looks at one page, over its DevTools protocol: what the page's tests need of it, with the standard
library only.

    with Browser(path, folder) as browser:
        browser.open("http://127.0.0.1:9464/")
        browser.until("document.title === 'Psyne'", 10)
        browser.picture("page.png")
"""
import base64, json, os, signal, socket, struct, subprocess, time, urllib.request


class Browser:
    def __init__(self, path, folder, width=1400, height=1500):
        self.folder = folder
        self.process = subprocess.Popen(
            [path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
             "--user-data-dir=" + os.path.join(folder, "profile"), "--window-size=%d,%d" % (width, height), "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder, "TMPDIR": folder})
        self.number, self.socket = 0, None

    def __enter__(self):
        port, until = os.path.join(self.folder, "profile", "DevToolsActivePort"), time.monotonic() + 60
        while not (os.path.exists(port) and open(port).read().count("\n") >= 1):
            if time.monotonic() > until or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError("chromium does not start")
            time.sleep(0.1)
        at = "127.0.0.1:" + open(port).readline().strip()
        pages = [p for p in json.load(urllib.request.urlopen("http://%s/json" % at, timeout=30)) if p["type"] == "page"]
        path = pages[0]["webSocketDebuggerUrl"].split(at, 1)[1]
        self.socket = socket.create_connection(at.split(":"), timeout=60)
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: cHN5bmUgdGVzdHMgdGhpcw==\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path, at)).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        assert b" 101 " in head.split(b"\r\n")[0], head
        return self

    def __exit__(self, *_):
        if self.socket:
            self.socket.close()
        # Its own children too: it has a session of its own.
        for by in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, by)
            except ProcessLookupError:
                break
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass

    # RFC 6455: frames of a client are masked.
    def take(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(n - len(got))
            assert more, "chromium hung up"
            got += more
        return got

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        n = len(data)
        head = struct.pack("!BB", 0x81, 0x80 | n) if n < 126 else struct.pack("!BBH", 0x81, 0xFE, n) if n < 65536 else struct.pack("!BBQ", 0x81, 0xFF, n)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def hear(self):
        whole = b""
        while True:
            first, n = self.take(2)
            n &= 127
            if n > 125:
                n, = struct.unpack("!H" if n == 126 else "!Q", self.take(2 if n == 126 else 8))
            data = self.take(n)
            if first & 15 < 3:
                whole += data
                if first & 128:
                    return json.loads(whole)

    def call(self, method, **parameters):
        self.number += 1
        self.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            said = self.hear()
            if said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def open(self, url):
        self.call("Page.enable")
        self.call("Page.navigate", url=url)

    def value(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def until(self, expression, seconds):
        """Waits for it to be true, at most so long. What it was last."""
        end = time.monotonic() + seconds
        while True:
            value = self.value(expression)
            if value or time.monotonic() > end:
                return value
            time.sleep(0.1)

    def key(self, key):
        for what in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=what, key=key, text=key if what == "keyDown" else "")

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        got = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                        clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        with open(path, "wb") as to:
            to.write(base64.b64decode(got["data"]))
