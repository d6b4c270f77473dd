"""The ingest child: reads hostile bytes under limits, one JSON line in, one out; knows no Django."""

import errno
import gc
import json
import os
import resource
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from portal.archive import limits
from portal.archive.reading import read
from portal.archive.refusals import Refusal
from portal.archive.zips import unpack


def restrain() -> None:
    """Memory, file size, open files, no core, low priority; it ends when its standard input does."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.CHILD_MEMORY, limits.CHILD_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.MAX_PIXEL_BYTES, limits.MAX_PIXEL_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.CHILD_OPEN_FILES, limits.CHILD_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def allow_cpu(seconds: int) -> None:
    """Give the next file or zip its CPU seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One file's or zip's outcome; any fault of a damaged one is one refusal."""
    fault = "damaged_zip" if "folder" in request else "header"
    try:
        return {"ok": True, **done(request)}
    except Refusal as refusal:
        return {
            "ok": False,
            "code": refusal.code,
            "reason": refusal.reason,
            "sentence": refusal.sentence,
            "uids": refusal.uids,
        }
    except MemoryError:
        stopped = Refusal("stopped")
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        stopped = Refusal("disk" if is_full else fault)
    except Exception:  # noqa: BLE001  pydicom and the decoders raise almost anything on damaged files
        stopped = Refusal(fault)
    return {
        "ok": False,
        "code": stopped.code,
        "reason": stopped.reason,
        "sentence": stopped.sentence,
    }


def done(request: dict[str, Any]) -> dict[str, Any]:
    """What a file says; a zip says it in the folder it is unpacked into."""
    path = Path(request["path"])
    if "folder" in request:
        unpack(path, Path(request["folder"]))
        return {}
    asked = {k: request[k] for k in ("piece", "is_ours", "is_sealed", "boundary")}
    return read(path, Path(request["spool"]), **asked)


def end_with(parent: int) -> None:
    """Do not outlive the portal: a parent-death signal would follow the thread that started us."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    warnings.simplefilter("ignore")
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    restrain()
    gc.freeze()  # what was imported stays: no collection need look at it
    sys.stdout.write("\n")  # the clock of the first file does not run while Python starts
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        allow_cpu(int(request.get("seconds", limits.CHILD_CPU_SECONDS)))
        sys.stdout.write(json.dumps(answer(request)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
