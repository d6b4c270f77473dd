"""A portal on loopback for the store's and the bridge's tests; run as a program with a port and a token file."""

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

from portal.accounts.tokens import issue  # noqa: E402
from portal.archive import limits  # noqa: E402
from tests.cohort import make_study, make_user  # noqa: E402

RESERVE = limits.FREE_BYTES


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main(port: int, token: Path) -> None:
    make_study(is_synthetic=True)
    answer = get_wsgi_application()

    def application(environ, start_response):
        """While a file named `full` lies in the data folder, the reserve is larger than any disk."""
        limits.FREE_BYTES = 2**62 if (settings.DATA_DIR / "full").exists() else RESERVE
        return answer(environ, start_response)

    token.write_text(issue(make_user("coordinator"), label="store", days=1).text)
    make_server("127.0.0.1", port, application, Server, Quiet).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
