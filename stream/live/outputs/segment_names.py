"""Names of recordings by local time, and which files carry such names: nothing else is ever touched."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UnsupportedUri
from stream.media.sinks.partial import MARK

_DEFAULT = "%Y%m%d-%H%M%S"
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "y": 2, "j": 3}
_DIRECTIVE = re.compile(r"%(.?)")


@dataclass(frozen=True, slots=True)
class SegmentNames:
    """``recordings/`` or ``cam_%Y%m%d-%H%M%S.mp4`` or ``%Y-%m-%d/cam_%H%M%S.mkv``; a plain name gets the time added."""

    root: Path
    """The folder in which all of them lie."""
    pattern: str
    """Below it, with ``/`` and directives."""

    def __str__(self) -> str:
        return str(self.root / self.pattern)

    @property
    def suffix(self) -> str:
        return Path(self.pattern).suffix.lower()

    def name_at(self, moment: float) -> Path:
        """For ``time.time()``, in local time. Where a clock was set back, the name may be taken."""
        return self.root / time.strftime(self.pattern, time.localtime(moment))

    def finished(self) -> list[Path]:
        """All complete segments, the oldest first by the time they were last written."""
        return self._found(re.compile(_expression(self.pattern)))

    def unfinished(self) -> list[Path]:
        """Segments that were or are being written."""
        folder, slash, name = self.pattern.rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        named = rf"{_expression(folder + slash, '')}\.{_expression(stem)}"
        return self._found(re.compile(rf"{named}{re.escape(MARK)}[0-9a-f]+{re.escape(dot + suffix)}"))

    def _found(self, expression: re.Pattern[str]) -> list[Path]:
        if not self.root.is_dir():
            return []
        folders = "*/" * self.pattern.count("/")
        files = []
        for path in self.root.glob(f"{folders}*"):
            named = expression.fullmatch(path.relative_to(self.root).as_posix()) is not None
            if named and path.is_file() and not path.is_symlink():
                try:
                    files.append((path.stat().st_mtime, path))
                except OSError:
                    continue  # another program has just removed it
        return [path for _, path in sorted(files)]


def segment_names(target: str) -> SegmentNames:
    """What ``-o`` means together with ``--segment``. Raises UnsupportedUri."""
    path = Path(target)
    if target.endswith("/") or path.is_dir() or not path.suffix:
        path = path / f"{_DEFAULT}.mp4"
    elif "%" not in target:
        path = path.with_name(f"{path.stem}_{_DEFAULT}{path.suffix}")
    folders = path.parts[:-1]
    fixed = next((n for n, part in enumerate(folders) if "%" in part), len(folders))
    pattern = "/".join(path.parts[fixed:])
    wrong = [found for found in _DIRECTIVE.findall(pattern) if found not in (*_DIGITS, "%")]
    if wrong or not any(found in _DIGITS for found in _DIRECTIVE.findall(pattern)):
        raise UnsupportedUri(
            f"{target}: names of segments take %Y %m %d %H %M %S (and %y %j)" + (f", not %{wrong[0]}" if wrong else ""),
            do="Use a folder, or a name such as cam_%Y%m%d-%H%M%S.mp4",
        )
    return SegmentNames(Path(*path.parts[:fixed]), pattern)


def _expression(pattern: str, again: str = r"(?:-\d+)?") -> str:
    """A regular expression for the names that a pattern makes; ``again`` stands before the extension."""
    parts, end = [], 0
    for found in _DIRECTIVE.finditer(pattern):
        parts += [re.escape(pattern[end : found.start()]), "%" if found[1] == "%" else rf"\d{{{_DIGITS[found[1]]}}}"]
        end = found.end()
    rest = pattern[end:]
    stem, dot, suffix = rest.rpartition(".") if "." in rest else (rest, "", "")
    return "".join([*parts, re.escape(stem), again, re.escape(dot + suffix)])
