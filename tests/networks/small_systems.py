"""Options that make every system small enough for a test, with all of its parts."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "retinexnet": {"channels": 24},
    "kind": {"channels": 4},
    "kind-plus": {"channels": 4},
    "drbn": {"width": 8},
    "hwmnet": {"width": 32},
    "snr": {"channels": 8, "layers": 1, "heads": 2, "hidden": 32},
    "llflow-s": {"channels": 8, "blocks": 2, "stacked": [1], "steps": 1},
    "llflow-l": {"channels": 10, "blocks": 2, "stacked": [1], "steps": 1},
    "lime": {"steps": 5},
    "sllen": {"classes": 4, "widths": [32, 32, 32, 32], "blocks": 1},
    "enlightengan": {"channels": [4, 8, 8, 16, 16]},
    "mirnet": {"channels": 16, "groups": [1, 2]},
    "zero-dce": {"channels": 8},
    "zero-dce-plus-plus": {"channels": 8, "reduction": 2},
}
