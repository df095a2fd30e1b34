"""A knowledge bank whose file is not there says what it is and what else would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.feed import open_bank
from training.recipe import Semantics


def test_missing_weights_of_the_hrnet_are_told_with_what_they_are(tmp_path: Path) -> None:
    semantics = Semantics(bank="hrnet", path=tmp_path / "hrnet.pth")
    with pytest.raises(ValueError, match=r"no file .*hrnet\.pth.*HRNetV2-W48.*PASCAL-Context.*bank: embedding"):
        open_bank(semantics)
