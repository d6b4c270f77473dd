"""The reading load of a busy morning: each reader asks for 20 slices and saves once every 5 s, as an open loop.

Standard library only. The times count from when a request was due, so a stall of the server is counted in full.

    OSTEON_DATA_DIR=D python bench/crowd.py 50 > crowd.json; OSTEON_DATA_DIR=D python manage.py up --port 8000 &
    python bench/load.py http://127.0.0.1:8000 crowd.json --seconds 60
"""

import argparse
import http.client
import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PERIOD, SLICES = 5.0, 20
ACCEPT = "multipart/related; type=application/octet-stream; transfer-syntax=*"
BAD = http.client.HTTPException | OSError


@dataclass
class Tally:
    """Seconds by kind of request, and errors by class."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"slice": [], "save": []})
    errors: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    lost: int = 0


class Reader:
    """One reader's browser: a kept connection, a session, a case with its slices and its draft's version."""

    def __init__(self, address: str, who: dict[str, str], seed: int) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        self.cookies = {"sessionid": who["cookie"]}
        self.draft_address = f"/reading/cases/{who['case']}/draft"
        self.document_address = f"/reading/cases/{who['case']}/document"
        self.random = random.Random(seed)
        self.tally = Tally()
        self.version = 0
        self.token = ""
        self.slices: list[str] = []

    def ask(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        cookies = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        given = {k.replace("_", "-"): v for k, v in headers.items()}
        self.connection.request(method, target, body, {"Cookie": cookies, **given})
        answer = self.connection.getresponse()
        content = answer.read()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.split(";")[0]
        return answer.status, content

    def open_case(self) -> int:
        """Read the case; its draft's version as the server holds it."""
        status, content = self.ask("GET", self.document_address)
        if status != 200:
            raise SystemExit(f"{self.document_address}: {status} {content[:300]!r}")
        document: dict[str, Any] = json.loads(content)
        self.token = document["case"]["csrf_token"]
        series = next(s for s in document["series"] if s["role"] == "CT")
        self.slices = [urlsplit(image["url"]).path for image in series["images"]]
        return int(document["case"]["draft"]["version"])

    def look(self) -> int:
        target = self.random.choice(self.slices)
        status, content = self.ask("GET", target, Accept=ACCEPT)
        return status if len(content) > 500_000 or status != 200 else 599

    def save(self) -> int:
        draft = {
            "answers": {"call": self.random.choice(["benign", "metastasis"]), "confidence": 3},
            "outlines": {"CT": None, "SPECT": None}, "looks": {}, "focus": None,
        }  # fmt: skip
        status, content = self.ask(
            "PUT", self.draft_address, json.dumps(draft).encode(), Content_Type="application/json",
            If_Match=f'"{self.version}"', Idempotency_Key=str(uuid.UUID(int=self.random.getrandbits(128))),
            X_CSRFToken=self.token,
        )  # fmt: skip
        if status == 200:
            self.version = json.loads(content)["version"]
            self.tally.acknowledged += 1
        return status

    def timed(self, kind: str, due: float, is_counted: bool) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            status = self.look() if kind == "slice" else self.save()
            fault = "" if status == 200 else f"{kind} {status}"
        except BAD as error:
            fault = f"{kind} {type(error).__name__}"
            self.connection.close()
        if fault:
            self.tally.errors[fault] += 1
        elif is_counted:
            self.tally.seconds[kind].append(time.monotonic() - due)

    def run(self, start: float, warm: float, seconds: float) -> None:
        self.version = self.open_case()
        begin = start + self.random.random() * PERIOD
        for n in range(int((warm + seconds) / PERIOD)):
            first = begin + n * PERIOD
            is_counted = first - start >= warm
            for k in range(SLICES):
                self.timed("slice", first + k * PERIOD / (SLICES + 1), is_counted)
            self.timed("save", first + SLICES * PERIOD / (SLICES + 1), is_counted)
        self.tally.lost = max(0, self.version - self.open_case())
        self.connection.close()


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = (
        {f"p{p}_ms": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 95, 99)}
        if ordered
        else {}
    )
    most = {"max_ms": ordered[-1]} if ordered else {}
    return {"n": len(ordered), **{k: round(1000 * v, 1) for k, v in {**at, **most}.items()}}


def run(
    address: str, people: list[dict[str, str]], *, warm: float, seconds: float, seed: int
) -> dict[str, Any]:
    readers = [Reader(address, who, seed + k) for k, who in enumerate(people)]
    start = time.monotonic() + 0.5
    threads = [threading.Thread(target=r.run, args=(start, warm, seconds)) for r in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = sum((r.tally.errors for r in readers), Counter[str]())
    return {
        "readers": len(readers), "seconds": seconds, "cores": os.cpu_count(), "load_average": os.getloadavg(),
        **{k: percentiles([s for r in readers for s in r.tally.seconds[k]]) for k in ("slice", "save")},
        "acknowledged": sum(r.tally.acknowledged for r in readers), "lost": sum(r.tally.lost for r in readers),
        "errors": dict(errors),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("crowd", type=Path, help="what bench/crowd.py printed")
    parser.add_argument("--readers", type=int, default=0, help="only so many of the crowd")
    parser.add_argument("--warm-up", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    people = json.loads(given.crowd.read_text())[: given.readers or None]
    print(
        json.dumps(
            run(given.address, people, warm=given.warm_up, seconds=given.seconds, seed=given.seed),
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
