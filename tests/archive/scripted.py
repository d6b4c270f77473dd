"""A DICOMweb server on loopback that answers as a test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

IN_PARTS = {"Content-Type": "multipart/related; boundary=b"}


@dataclass
class Scripted:
    """Answers every request in one way, but for the files that lie at a path; notes what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    by_accept: dict[str, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    # statuses of requests for such a file
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, path: str, accept: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append((path, accept))
        if path not in self.files:
            return self.by_accept.get(accept, self.status), self.headers, self.body
        body = b"--b\r\n\r\n" + self.files[path] + b"\r\n--b--"
        return self.refused.get(accept, 200), IN_PARTS, body


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = script.answer(self.path, self.headers.get("Accept", ""))
            self.send_response(status)
            given = {"Content-Type": "application/dicom+json", "Content-Length": str(len(body)), **headers}  # fmt: skip
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815  the library's names

        def log_message(self, format, *args):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    script.url = f"http://127.0.0.1:{running.server_port}"
    yield script
    running.shutdown()
    running.server_close()
