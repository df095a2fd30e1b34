"""Brightness in time against the truth: MABD (SMOID, Jiang and Zheng 2019) and AB(Var) (MBLLEN, Lv et al. 2018).

Scales differ between papers; here luma is 0..1 everywhere, so compare inside one table only. MABD is blind to slow
drift, and one global step dominates AB(Var).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Doubles


def brightness_changes(luma: Array) -> Doubles:
    """The MABD vector [n-1]: mean absolute change of luma [n, H, W] in 0..1 from each frame to the next."""
    return np.array([np.abs(after.astype(np.float64) - before).mean() for before, after in pairwise(luma)])


def mabd_error(output: Array, target: Array) -> float:
    """Mean squared difference of the two MABD vectors; 0 where the output changes as much as the truth does."""
    return float(((brightness_changes(output) - brightness_changes(target)) ** 2).mean())


def ab_var(output: Array, target: Array) -> float:
    """Variance in time of the error of mean luma; a constant error has 0."""
    errors = [
        float(got.mean(dtype=np.float64) - want.mean(dtype=np.float64))
        for got, want in zip(output, target, strict=True)
    ]
    return float(np.var(errors))
