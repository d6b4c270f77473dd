"""OHIF's published build and the portal on one origin: files from its dist folder, `/dicomweb/` passed on."""

import http.client
import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = {
    "routerBasename": None, "extensions": [], "modes": [], "customizationService": {}, "showStudyList": True,
    "maxNumberOfWebWorkers": 2, "showLoadingIndicator": True, "strictZSpacingForVolumeViewport": True,
    "investigationalUseDialog": {"option": "never"}, "defaultDataSourceName": "portal",
    "dataSources": [{
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb", "sourceName": "portal",
        "configuration": {
            "friendlyName": "portal", "name": "portal", "wadoUriRoot": "/dicomweb", "qidoRoot": "/dicomweb",
            "wadoRoot": "/dicomweb", "imageRendering": "wadors", "thumbnailRendering": "wadors",
            "qidoSupportsIncludeField": True, "supportsReject": False, "supportsStow": False,
            "enableStudyLazyLoad": True, "supportsFuzzyMatching": True, "supportsWildcard": True,
            "bulkDataURI": {"enabled": True}, "omitQuotationForMultipartRequest": True,
        },
    }],
}  # fmt: skip
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
PASSED = ("Accept", "Accept-Encoding", "If-None-Match")
DROPPED = {"connection", "transfer-encoding", "date", "server"}


class Front(BaseHTTPRequestHandler):
    """GET only; every request to the portal is noted with its status."""

    protocol_version = "HTTP/1.1"
    dist: Path
    port: int
    token: str
    seen: list[tuple[str, str, int]]

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        if self.path.startswith("/dicomweb/"):
            self.pass_on()
        elif self.path.split("?")[0] == "/app-config.js":
            self.give(f"window.config = {json.dumps(CONFIG)};".encode(), "text/javascript")
        else:
            asked = (self.dist / self.path.split("?")[0].lstrip("/")).resolve()
            is_file = asked.is_file() and asked.is_relative_to(self.dist)
            path = asked if is_file else self.dist / "index.html"
            self.give(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/wasm")

    def pass_on(self) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name: self.headers[name] for name in PASSED if name in self.headers}
        upstream.request("GET", self.path, headers={**headers, "Authorization": f"Token {self.token}"})  # fmt: skip
        answer = upstream.getresponse()
        body = answer.read()
        self.seen.append((self.path, self.headers.get("Accept", ""), answer.status))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        upstream.close()

    def give(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        for name, value in {
            **ISOLATION,
            "Content-Type": kind,
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def front(dist: Path, port: int, token: str) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """The address of both on one origin, and what OHIF has asked of the portal so far."""
    seen: list[tuple[str, str, int]] = []
    here = {"dist": dist.resolve(), "port": port, "token": token, "seen": seen}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Front,), here))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
