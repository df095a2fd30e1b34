"""The real command, live, as a process of its own: its events, its end, its summary."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LIMIT_S = 120
COMMAND = (sys.executable, "-c", "import sys; from stream.cli import main; sys.exit(main())")


class LiveCommand:
    """``stream-enhance ARGUMENTS --json ...`` with standard output and error in files below ``folder``."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.summary_file = folder / "summary.json"
        self.out, self.err = folder / "stdout", folder / "stderr"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments, "--json", str(self.summary_file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(environment or {})},
            )

    def __enter__(self) -> LiveCommand:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if kind is not None:
            print(f"ended with {self.process.returncode} and said:\n{self.said}")

    @property
    def said(self) -> str:
        """All that it wrote so far, the summary included."""
        files = (self.out, self.err, self.summary_file)
        return "".join(file.read_text() for file in files if file.exists())

    def events(self, name: str, after: int = -1, **properties: str) -> list[dict[str, str]]:
        """The lines of one event so far, those with the given fields, below line ``after``."""
        found = []
        for number, line in enumerate(self.err.read_text().splitlines()):
            if number > after and line.startswith("time="):
                pairs = dict(pair.split("=", 1) for pair in shlex.split(line))
                if pairs.get("event") == name and properties.items() <= pairs.items():
                    found.append({**pairs, "line": str(number)})
        return found

    def wait_for(self, name: str, count: int = 1, after: int = -1, **properties: str) -> int:
        """Wait until the event has come ``count`` times below line ``after``; its line."""
        deadline = time.monotonic() + LIMIT_S
        while len(found := self.events(name, after, **properties)) < count:
            assert self.process.poll() is None, "it ended"
            assert time.monotonic() < deadline, f"no {count} x {name} {properties}"
            time.sleep(0.1)
        return int(found[count - 1]["line"])

    def end(self) -> dict[str, Any]:
        """SIGTERM; the summary, once the process has ended in order."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 143, self.said
        summary: dict[str, Any] = json.loads(self.summary_file.read_text())
        check_accounts(summary)
        return summary

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


def check_accounts(summary: dict[str, Any]) -> None:
    """Every frame is out or dropped for a cause, and every picture of every output written or lost for one."""
    figures = summary["figures"]
    assert figures["frames_in"] == figures["frames_out"] + sum(figures["dropped"].values()), figures
    assert figures["stuck_threads"] == 0
    for output in figures["outputs"]:
        assert output["in_flight"] == 0, output
        assert output["offered"] == output["written"] + sum(output["dropped"].values()), output
        assert output["offered"] == figures["frames_out"] + figures["notices"], output
