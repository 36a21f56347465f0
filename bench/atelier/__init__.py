"""The atelier: tiny text-to-image models of known bias, and the program that paints their pictures.

An evaluation can be trusted when it finds a bias that is known to be there. The three checkpoints
differ only in the mixture of traditions that they learned from; see their model cards.
"""

from __future__ import annotations

from bench.atelier.composition import SUBJECTS
from bench.atelier.manner import MannerModel, crispness, fit
from bench.atelier.painter import MANNERS, draw_subjects, paint

__all__ = ["MANNERS", "SUBJECTS", "MannerModel", "crispness", "draw_subjects", "fit", "paint"]
