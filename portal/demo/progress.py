"""Progress bars on standard error: stage, done of total, time left."""

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

WIDTH = 24


@dataclass
class Bar:
    """One stage's bar; silent when the stream is not a terminal, but for its last line."""

    stage: str
    total: int
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def step(self, n: int = 1) -> None:
        self.set(self.done + n)

    def set(self, done: int) -> None:
        self.done = done
        if self.stream.isatty():
            self.stream.write("\r" + self.line())
            self.stream.flush()

    def line(self) -> str:
        share = min(1.0, self.done / self.total) if self.total else 1.0
        filled = "#" * int(WIDTH * share)
        spent = time.monotonic() - self.started
        left = spent / share - spent if share > 0 else 0.0
        return f"{self.stage:<22} [{filled:<{WIDTH}}] {self.done}/{self.total}  {left:4.0f} s left "

    def end(self) -> None:
        spent = time.monotonic() - self.started
        text = f"{self.stage:<22} {self.done}/{self.total} in {spent:.1f} s"
        self.stream.write(("\r" if self.stream.isatty() else "") + f"{text:<78}\n")
        self.stream.flush()
