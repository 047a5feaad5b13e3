"""The services that Postfix and Exim ask whether to take a recipient."""

from __future__ import annotations

import socketserver
import threading

from ..support.servers import HOST


class Greylist(socketserver.ThreadingTCPServer):
    """Wants each sender and recipient to come twice. It speaks two protocols, by its first word.

    Postfix's policy delegation (SMTPD_POLICY_README), as postgrey does; and that of greylistd,
    which Exim asks with ${readsocket}. A context manager.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__((HOST, 0), _Handler)
        self.port = self.server_address[1]
        self._seen = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def forget(self):
        with self._lock:
            self._seen.clear()

    def is_new(self, key):
        with self._lock:
            is_new = key not in self._seen
            self._seen.add(key)
        return is_new


class _Handler(socketserver.StreamRequestHandler):
    server: Greylist

    def handle(self):
        request = {}
        for raw in self.rfile:
            line = raw.decode().strip()
            if line.startswith("--grey "):
                self.wfile.write(b"true" if self.server.is_new(line) else b"false")
                return
            if line:
                name, _, value = line.partition("=")
                request[name] = value
                continue
            is_new = self.server.is_new((request["sender"], request["recipient"]))
            action = "defer_if_permit 4.2.0 Greylisted, see the manual" if is_new else "dunno"
            self.wfile.write(f"action={action}\n\n".encode())
            request = {}
