"""gunicorn's threads, kept from clients that stall: no thread waits longer than 15 s for bytes or a reader."""

import logging
import select
import socket
import struct
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.parser import RequestParser
from gunicorn.util import write_error
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal import logs

SECONDS = 15
# a client that asks again at once is answered by the thread that has just answered it
NEXT_MS = 2
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

    def handle(self, conn: TConn) -> Any:
        limit_waits(conn.sock)
        if conn.parser is None and not self.cfg.is_ssl:
            conn.parser = PatientParser(self.cfg, conn.sock, conn.client)
        again = super().handle(conn)
        while again is True and self.may_stay() and asks_again(conn.sock):
            again = super().handle(conn)
        return again

    def may_stay(self) -> bool:
        """Nobody else waits for this thread."""
        return bool(self.alive and self.tpool._work_queue.empty())

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        if isinstance(exc, Stalled):
            write_error(client, 408, "Request Timeout", NEVER_CAME)
        else:
            super().handle_error(req, client, addr, exc)


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
