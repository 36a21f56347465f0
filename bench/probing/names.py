"""The files that `pinlu probe` leaves in a run."""

from __future__ import annotations

PROBES = "probes.parquet"
"""One row per output and probe."""
DIVERSITY = "diversity.parquet"
"""Vendi scores by prompt."""
REPORT = "probe.json"
"""What looked, how well it tells the references apart, and what could not be looked at."""
