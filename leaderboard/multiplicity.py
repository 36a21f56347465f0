"""Several tests at once: Holm for what is claimed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted so that the chance of any false claim is kept (Holm 1979).

    NaN stays NaN and does not count.
    """
    result = np.array(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(result))
    order = known[np.argsort(result[known], kind="stable")]
    raised = result[order] * np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(p) for p in result]
