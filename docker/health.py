"""Health check of the images: 0 while the streams of this container run, 1 and the reason where they do not.

It asks the pages that ``--metrics`` serves, first whether the process is well, then whether the streams run.
``STREAM_ENHANCE_HEALTH`` says what counts: ``all`` streams (the default), ``any`` of them, or the ``process`` alone:
right for managers that restart what is unhealthy, since a restart brings no dead camera back.
"""

from __future__ import annotations

import os
import sys
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

PAGES = {"all": ("/healthz", "/readyz"), "any": ("/healthz", "/readyz?need=any"), "process": ("/healthz",)}
_TIMEOUT_S = 4.0
_EVERYWHERE = ("", "0.0.0.0", "[::]")


def address(metrics: str) -> str:
    """Where ``--metrics`` is reached from inside: ``9100``, ``HOST:9100`` or ``[::]:9100`` -> ``host:port``."""
    host, _, port = metrics.rpartition(":")
    return f"{'127.0.0.1' if host in _EVERYWHERE else host}:{port}"


def problem(metrics: str, pages: tuple[str, ...]) -> str:
    """What is wrong, in words; empty while nothing is."""
    opener = build_opener(ProxyHandler({}))
    for page in pages:
        url = f"http://{address(metrics)}{page}"
        try:
            opener.open(url, timeout=_TIMEOUT_S).close()
        except HTTPError as error:
            return f"{page}: {error.read().decode(errors='replace')}"
        except (URLError, OSError) as error:
            return f"{url} does not answer ({error}): still starting, not a live run, or its metrics are elsewhere"
    return ""


def main() -> int:
    """Exit code for the container engine, which keeps what is printed."""
    wanted = os.environ.get("STREAM_ENHANCE_HEALTH", "all")
    if wanted not in PAGES:
        print(f"STREAM_ENHANCE_HEALTH is {', '.join(PAGES)}, not '{wanted}'")
        return 1
    found = problem(os.environ.get("STREAM_ENHANCE_METRICS", "9100"), PAGES[wanted])
    print(found or f"{wanted}: well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
