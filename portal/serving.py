"""gunicorn's threads, kept from clients that stall: no thread waits longer than 15 s for bytes or a reader.

A viewer asks for one frame after the other with the same headers, and so do searches. What gunicorn has read from them once, on this
very connection, is not read again as long as every byte behind the request line stays the same.
"""

import gc
import logging
import os
import re
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from gunicorn import SERVER
from gunicorn.glogging import Logger
from gunicorn.http.parser import RequestParser
from gunicorn.util import http_date, write_error
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal import logs

SECONDS = 15
# a client that asks again at once is answered by the thread that has just answered it
NEXT_MS = 2
STEP_SECONDS, MOST_STEPS = 0.00025, 4
HEAD_BYTES = 8192
# sets of headers remembered of one connection: a proxy sends many people's requests over the same
KNOWN = 64
# of DICOMweb, and plain paths only: what is escaped is read by gunicorn
PLAIN_GET = re.compile(
    rb"GET (/(?:[A-Za-z0-9/._,-]{1,200}/)?dicomweb/[A-Za-z0-9/._,-]{1,900})"
    rb"(?:\?([A-Za-z0-9/._,=&%*+~-]{0,1000}))? HTTP/1\.1\r\n"
)
# each changes how the connection, the body or the path is understood
ELSE = frozenset(
    {"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT", "UPGRADE", "SCRIPT_NAME", "TRAILER", "TE"}
)  # fmt: skip
NEVER_CAME = "The request did not come in time; send it again."


class Stalled(Exception):
    """The head of a request did not come to its end."""


class PatientParser(RequestParser):  # type: ignore[misc]
    """Tells a stalled head from a broken one."""

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except BlockingIOError as error:
            raise Stalled(NEVER_CAME) from error


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """`gthread` with a limit on each wait of a connection, in both directions."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        gc.collect()
        gc.freeze()  # the application stays: no collection need look at it while somebody waits

    def handle(self, conn: TConn) -> Any:
        limit_waits(conn.sock)
        if conn.parser is None and not self.cfg.is_ssl:
            conn.parser = PatientParser(self.cfg, conn.sock, conn.client)
        again = self.answer(conn)
        while again is True and self.may_stay() and asks_again(conn.sock):
            again = self.answer(conn)
        return again

    def answer(self, conn: TConn) -> Any:
        """One request: a frame that is asked for as the one before it was, or anything else by gunicorn."""
        if not isinstance(conn.parser, PatientParser) or not conn.initialized:
            return super().handle(conn)
        try:
            return self.quick(conn) or super().handle(conn)
        except (BrokenPipeError, ConnectionResetError, BlockingIOError):
            return False  # the client has gone, or reads too slowly

    def quick(self, conn: TConn) -> bool:
        """Answer from what this connection is known by; else give the bytes back, for gunicorn to read."""
        conn.sock.setblocking(True)
        conn.block = b""
        data = b"" if has_more(conn.parser.unreader) else received(conn.sock)
        line = PLAIN_GET.match(data)
        if line is not None and data.find(b"\r\n\r\n", line.end() - 2) == len(data) - 4:
            conn.block = data[line.end() :]
            environ = vars(conn).get("known", {}).get(conn.block)
            if environ is not None and self.keeps_open():
                query = (line[2] or b"").decode()
                parts = self.wsgi.on_the_wire({**environ, "QUERY_STRING": query}, line[1].decode())
                if parts is not None:
                    send(conn.sock, [ok_head(int(time.time())), *parts])
                    return True
        conn.parser.unreader.unread(data)
        return False

    def keeps_open(self) -> bool:
        """Would gunicorn keep this connection, and write no line about the request?"""
        is_silent = not self.cfg.accesslog and not self.cfg.statsd_host
        return self.alive and is_silent and len(self.keepalived_conns) < self.max_keepalived

    def handle_request(self, req: Any, conn: TConn) -> Any:
        again = super().handle_request(req, conn)
        block = vars(conn).pop("block", b"")
        if again and block:
            known = vars(conn).setdefault("known", {})
            if len(known) >= KNOWN:
                known.clear()
            known[block] = understood(req)
        return again

    def accept(self, listener: socket.socket) -> None:
        """A worker with connections lets one with fewer be first, else one of them may get all of a browser's."""
        time.sleep(min(MOST_STEPS, self.nr_conns) * STEP_SECONDS)
        super().accept(listener)

    def may_stay(self) -> bool:
        """Nobody else waits for this thread."""
        return bool(self.alive and self.tpool._work_queue.empty())

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        if isinstance(exc, Stalled):
            write_error(client, 408, "Request Timeout", NEVER_CAME)
        else:
            super().handle_error(req, client, addr, exc)


def understood(req: Any) -> Mapping[str, Any] | None:
    """The headers as the application is told them; None where one is repeated, or changes more than that."""
    names = [name for name, _ in req.headers]
    is_plain = len(set(names)) == len(names) and ELSE.isdisjoint(names)
    is_plain &= dict(req.headers).get("CONNECTION", "keep-alive").lower() == "keep-alive"
    if (
        not is_plain
        or "SCRIPT_NAME" in os.environ
        or req.method != "GET"
        or req.version != (1, 1)
        or req.should_close()
    ):
        return None
    said = {f"HTTP_{name.replace('-', '_')}": value for name, value in req.headers}
    return {**said, "REQUEST_METHOD": "GET", "wsgi.url_scheme": req.scheme}


def has_more(unreader: Any) -> bool:
    """Bytes of a further request that gunicorn has received already."""
    return bool(unreader.buf.getbuffer().nbytes)


def received(sock: socket.socket) -> bytes:
    """What has come by now, at most as much as gunicorn takes at once; nothing where it did not come in time."""
    try:
        return sock.recv(HEAD_BYTES)
    except BlockingIOError:
        return b""


@lru_cache(maxsize=4)
def ok_head(second: int) -> bytes:
    """The first lines of an answer as gunicorn writes them, the same for one second."""
    return f"HTTP/1.1 200 OK\r\nServer: {SERVER}\r\nDate: {http_date(second)}\r\nConnection: keep-alive\r\n".encode()


def send(sock: socket.socket, parts: Sequence[bytes]) -> None:
    """Head and body in one call, so that the client wakes once."""
    n = sock.sendmsg(parts)
    for part in parts:
        if n < len(part):
            sock.sendall(memoryview(part)[n:])
        n = max(0, n - len(part))


def limit_waits(sock: socket.socket) -> None:
    """In the kernel, since gunicorn makes its sockets blocking again before each request."""
    limit = struct.pack("ll", SECONDS, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def asks_again(sock: socket.socket) -> bool:
    """Does more come within a moment? Through the poller it would take two changes of threads."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(NEXT_MS))


class WebLogger(Logger):  # type: ignore[misc]
    """gunicorn's own lines take the way of all others: it would write queries and headers as they came."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
        if not logging.getLogger().handlers:  # the first process of gunicorn never loads Django
            logs.start({"level": "WARNING"})
