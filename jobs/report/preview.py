"""A live preview of the report on this machine only: built anew whenever a table or a check changes.

Pages get one more script, which waits for news and loads the page again. Nothing is served but the report's own files,
and only to a browser that asks for this machine by name or number, so that no other site can read it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

LOOPBACK: Final = "127.0.0.1"
HOSTS: Final = ("127.0.0.1", "localhost")
NEWS: Final = "/_preview/news"
SCRIPT: Final = "/_preview/reload.js"
RELOADER: Final = b"""(function () {
  "use strict";
  const source = new EventSource("/_preview/news" + new URL(document.currentScript.src).search);
  source.onmessage = function () { source.close(); window.location.reload(); };
})();
"""
TYPES: Final = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml", "csv": "text/csv; charset=utf-8", "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAUSE_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 15.0
Files = Mapping[str, bytes]


class Preview:
    """The report's files in memory, and a server for them.

    Args:
        build: makes all files of the report.
        look: gives something that changes when the report would.
        port: to listen on; 0 takes a free one.
        say: is told what happens.
    """

    def __init__(
        self, build: Callable[[], Files], look: Callable[[], object], *, port: int, say: Callable[[str], None]
    ) -> None:
        self._build, self._look, self._say = build, look, say
        self._changed = threading.Condition()
        self._edition = 0
        self._is_open = True
        self.files: Files = {}
        self._server = Server(port, self)
        try:
            self._seen = look()
            self.files = build()
        except BaseException:
            self._server.server_close()
            raise

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/"

    def serve(self, pause: float = PAUSE_SECONDS) -> None:
        """Serve until :meth:`close` is called from another thread, or until interrupted."""
        server = threading.Thread(target=self._server.serve_forever, daemon=True)
        server.start()
        try:
            while self._is_open:
                time.sleep(pause)
                self.refresh()
        finally:
            self.close()

    def close(self) -> None:
        """Stop serving."""
        self._is_open = False
        self._server.shutdown()
        self._server.server_close()

    def refresh(self) -> bool:
        """Build anew if something changed; a report that cannot be built leaves the last one."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.files = self._build()
        except Exception as error:  # noqa: BLE001 - a table in the middle of a change must not end the preview
            self._say(f"not rebuilt: {type(error).__name__}")
            return False
        with self._changed:
            self._edition += 1
            self._changed.notify_all()
        self._say("rebuilt")
        return True

    @property
    def edition(self) -> str:
        """The number of the report that is served, as pages carry it."""
        return str(self._edition)

    def wait(self, known: str) -> bool:
        """True once there is another edition than the one that is known, false when there was none for a while."""
        with self._changed:
            return self._changed.wait_for(lambda: self.edition != known, timeout=BEAT_SECONDS)


class Server(ThreadingHTTPServer):
    """The server; its handlers find the preview here."""

    daemon_threads = True

    def __init__(self, port: int, preview: Preview) -> None:
        self.preview = preview
        super().__init__((LOOPBACK, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sophilux", ""
    server: Server

    def do_GET(self) -> None:
        """Send a file of the report, or news."""
        asked = urlsplit(self.path)
        path = unquote(asked.path)
        if (self.headers.get("Host") or "").rpartition(":")[0] not in HOSTS:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"The preview answers to this machine only.\n")
        elif path == NEWS:
            self._tell_news(asked.query)
        elif path == SCRIPT:
            self._send(HTTPStatus.OK, TYPES["js"], RELOADER)
        else:
            self._send_file(path.removeprefix("/") or "index.html")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401
        """Say nothing: a preview's log is of no use."""

    def _send_file(self, path: str) -> None:
        # The edition is read first: a page that is newer than it says is loaded once too often, and never too seldom.
        edition, content = self.server.preview.edition, self.server.preview.files.get(path)
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"The report has no such page.\n")
            return
        if path.endswith(".html"):
            content = content.replace(
                b"</head>", f'<script src="{SCRIPT}?{edition}" defer></script>\n</head>'.encode(), 1
            )
        self._send(HTTPStatus.OK, TYPES.get(path.rpartition(".")[2], "application/octet-stream"), content)

    def _send(self, status: HTTPStatus, type_: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": type_, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _tell_news(self, known: str) -> None:
        known = known or self.server.preview.edition
        self.send_response(HTTPStatus.OK)
        for name, value in {**HEADERS, "Content-Type": "text/event-stream", "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while not self.server.preview.wait(known):
                self.wfile.write(b": still here\n\n")
            self.wfile.write(b"data: changed\n\n")
