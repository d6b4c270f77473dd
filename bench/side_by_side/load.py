"""The same client for both servers: wrk where it is installed, else threads of the standard library."""

import http.client
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LUA = """
local requests, at = {}, 0
for line in io.lines(os.getenv("BENCH_REQUESTS")) do
  local path, accept, token = line:match("^(.-)\\t(.-)\\t(.*)$")
  local headers = {}
  if accept ~= "" then headers["Accept"] = accept end
  if token ~= "" then headers["Authorization"] = "Token " .. token end
  requests[#requests + 1] = {path, headers}
end
request = function()
  at = at % #requests + 1
  return wrk.format("GET", requests[at][1], requests[at][2])
end
done = function(summary, latency, all)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.stderr:write(string.format('{"rate": %f, "p50": %f, "p95": %f, "errors": %d}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, errors))
end
"""


@dataclass(frozen=True)
class Ask:
    """One GET."""

    path: str
    accept: str = ""
    token: str = ""


@dataclass(frozen=True)
class Rate:
    """Requests per second of one round, latencies in ms."""

    rate: float
    p50: float
    p95: float
    errors: int


def headers_of(ask: Ask) -> dict[str, str]:
    found = {"Accept": ask.accept} if ask.accept else {}
    return {**found, "Authorization": f"Token {ask.token}"} if ask.token else found


def fetch(port: int, ask: Ask) -> bytes:
    """One answer; anything but 200 ends the comparison."""
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    one.request("GET", ask.path, headers=headers_of(ask))
    answer = one.getresponse()
    body = answer.read()
    one.close()
    if answer.status != 200:
        raise SystemExit(f"{answer.status} for {ask}: {body[:300]!r}")
    return body


def client_name() -> str:
    return "wrk" if shutil.which("wrk") else "standard library (install wrk for a lighter client)"


def load(
    port: int, asks: Sequence[Ask], *, connections: int, seconds: float, is_multipart: bool = False
) -> Rate:
    """All connections busy for so long; each goes through the same seeded order.

    Multipart documents are asked for by the standard library on both sides: Orthanc ends them by closing the
    connection, without a length, which wrk counts as an error of reading; here their last boundary must have come.
    """
    if is_multipart:
        return by_threads(port, asks, connections, seconds, ending=b"--")
    if shutil.which("wrk"):
        return by_wrk(port, asks, connections, seconds)
    return by_threads(port, asks, connections, seconds)


def by_wrk(port: int, asks: Sequence[Ask], connections: int, seconds: float) -> Rate:
    with tempfile.TemporaryDirectory() as name:
        script, lines = Path(name, "ask.lua"), Path(name, "asks")
        script.write_text(LUA)
        lines.write_text("".join(f"{a.path}\t{a.accept}\t{a.token}\n" for a in asks))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s",
             str(script), f"http://127.0.0.1:{port}"],
            env={"BENCH_REQUESTS": str(lines), "PATH": "/usr/bin:/bin"}, capture_output=True, check=True,
        )  # fmt: skip
        return Rate(**json.loads(done.stderr.decode().splitlines()[-1]))


def by_threads(
    port: int, asks: Sequence[Ask], connections: int, seconds: float, *, ending: bytes = b""
) -> Rate:
    until, times, errors = time.monotonic() + seconds, [], []

    def work(first: int) -> None:
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        at = first
        while (begun := time.monotonic()) < until:
            ask = asks[at % len(asks)]
            one.request("GET", ask.path, headers=headers_of(ask))
            answer = one.getresponse()
            body = answer.read()
            times.append(time.monotonic() - begun)
            if answer.status != 200 or not body[-8:].rstrip().endswith(ending):
                errors.append(answer.status)
            at += 1

    threads = [threading.Thread(target=work, args=(17 * k,)) for k in range(connections)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.monotonic() - begun
    cuts = statistics.quantiles([1e3 * t for t in times], n=20) if len(times) > 1 else [0.0] * 19
    return Rate(len(times) / spent, cuts[9], cuts[18], len(errors))
