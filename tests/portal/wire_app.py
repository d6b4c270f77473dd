"""A door like the portal's for the web server's own tests: says which way a request came, and what it was told."""

import json
from typing import Any

LARGE = bytes(range(256)) * 12_000
TOLD = (
    "HTTP_HOST",
    "HTTP_ACCEPT",
    "HTTP_AUTHORIZATION",
    "HTTP_X_FORWARDED_PROTO",
    "QUERY_STRING",
    "wsgi.url_scheme",
)


def told(way: str, environ: dict[str, Any], path: str) -> bytes:
    return json.dumps([way, path, {name: environ.get(name) for name in TOLD}]).encode()


class Door:
    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = told("slow", environ, environ["PATH_INFO"])
        environ["wsgi.input"].read()
        start_response(
            "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    @staticmethod
    def on_the_wire(environ: dict[str, Any], path: str) -> tuple[bytes, bytes] | None:
        if path.endswith("/404"):
            return None
        body = LARGE if path.endswith("/7") else told("quick", environ, path)
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode(), body


application = Door()
