"""Tables with planted truth, seeded: what the measures must find again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench.records import NEUTRAL, REFERENCE
from leaderboard.tables import check_attributions, check_ratings, check_votes

Mix = Mapping[str, Mapping[str, float]]
"""Target → tradition truly painted → share."""


def mixes(traditions: Sequence[str], leaks: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Each target is painted in its own manner, but for `leaks` towards others."""
    result = {}
    for target in [*traditions, NEUTRAL]:
        shares = {other: share for other, share in leaks.items() if target not in {other, NEUTRAL}}
        if target == NEUTRAL:
            shares = {other: 1 / len(traditions) for other in traditions}
        else:
            shares[target] = 1 - sum(shares.values())
        result[target] = shares
    return result


@dataclass
class World:
    """What is true; the defaults are three models of one study, eight raters, 24 scenes."""

    traditions: Sequence[str] = ("chinese", "japanese", "western")
    models: Mapping[str, Mapping[str, float]] = field(
        default_factory=lambda: {
            "balanced": {"japanese": 0.08, "western": 0.08},
            "japan": {"japanese": 0.45, "western": 0.05},
            "west": {"japanese": 0.05, "western": 0.45},
        }
    )
    quality: Mapping[str, float] = field(
        default_factory=lambda: {"balanced": 3.8, "japan": 3.2, "west": 2.9, REFERENCE: 4.4}
    )
    criteria: Sequence[str] = ("spirit", "brush", "composition", "form")
    scenes: int = 24
    languages: Sequence[str] = ("zh", "en")
    raters: int = 8
    references: int = 30
    right: float = 0.86
    """Share of real works that a rater sees for what they are; half of the rest goes to the next
    tradition, half to `other` and `cannot_tell`."""
    severity: float = 0.4
    tie: float = 0.6
    group: str = ""

    def confusion(self) -> pd.DataFrame:
        labels = [*self.traditions, "other", "cannot_tell"]
        table = pd.DataFrame(0.0, index=list(self.traditions), columns=labels)
        rest = 1 - self.right
        for place, tradition in enumerate(self.traditions):
            table.loc[tradition, tradition] = self.right
            table.loc[tradition, self.traditions[(place + 1) % len(self.traditions)]] += rest / 2
            table.loc[tradition, ["other", "cannot_tell"]] += rest / 4
        return table

    def true_shares(self, model: str, target: str) -> pd.Series:
        mix = pd.Series(mixes(self.traditions, self.models[model])[target])
        return mix @ self.confusion().loc[mix.index]

    def true_excess(self, model: str, other: str) -> float:
        home = self.traditions[0]
        return float(self.true_shares(model, home)[other] - self.confusion().loc[home, other])

    def attributions(self, rng: np.random.Generator, *, per_item: int = 0) -> pd.DataFrame:
        items = []
        for model, leaks in self.models.items():
            for target, mix in mixes(self.traditions, leaks).items():
                for scene in range(self.scenes):
                    for language in self.languages:
                        painted = rng.choice(list(mix), p=list(mix.values()))
                        items.append((model, f"s{scene}/{target}", target, language, painted))
        for tradition in self.traditions:
            items += [(REFERENCE, "", tradition, "", tradition)] * self.references
        confusion = self.confusion()
        rows = []
        for number, (model, prompt, target, language, painted) in enumerate(items):
            seen = rng.choice(confusion.columns, size=self.raters, p=confusion.loc[painted])
            who = rng.permutation(self.raters)[: per_item or self.raters]
            rows += [
                {
                    "rater": f"r{rater}",
                    "item": f"i{number}",
                    "model": model,
                    "prompt": prompt,
                    "target": target,
                    "attribution": seen[rater],
                    "language": language,
                    "home": self.traditions[0],
                    "rater_group": self.group,
                }
                for rater in who
            ]
        return check_attributions(pd.DataFrame(rows), "the simulated attributions")

    def ratings(self, rng: np.random.Generator, *, per_item: int = 0) -> pd.DataFrame:
        severity = rng.normal(0, self.severity, self.raters)
        easy = rng.normal(0, 0.3, self.scenes)
        rows = []
        for model, quality in self.quality.items():
            for scene in range(self.scenes):
                for criterion in self.criteria:
                    true = quality + easy[scene] + rng.normal(0, 0.4)
                    given = true - severity + rng.normal(0, 0.6, self.raters)
                    who = np.random.default_rng(scene).permutation(self.raters)
                    rows += [
                        {
                            "rater": f"r{rater}",
                            "item": f"{model}-{scene}",
                            "criterion": criterion,
                            "value": float(np.clip(np.rint(given[rater]), 1, 5)),
                            "model": model,
                            "prompt": f"s{scene}/{self.traditions[0]}",
                            "rater_group": self.group,
                        }
                        for rater in who[: per_item or self.raters]
                    ]
        return check_ratings(pd.DataFrame(rows), "the simulated ratings")

    def votes(self, rng: np.random.Generator) -> pd.DataFrame:
        models = list(self.models)
        rows = []
        for scene in range(self.scenes):
            for rater in range(self.raters):
                left, right = rng.permutation(len(models))[:2]
                ahead = np.exp((self.quality[models[left]] - self.quality[models[right]]) / 2)
                odds = np.array([ahead, 1 / ahead, self.tie])
                winner = rng.choice(["left", "right", "tie"], p=odds / odds.sum())
                if rng.random() < 0.05:
                    winner = "both_bad"
                rows.append(
                    {
                        "rater": f"r{rater}",
                        "prompt": f"s{scene}/{self.traditions[0]}",
                        "left": models[left],
                        "right": models[right],
                        "winner": winner,
                        "rater_group": self.group,
                    }
                )
        return check_votes(pd.DataFrame(rows), "the simulated votes")

    def tables(self, seed: int) -> dict[str, pd.DataFrame]:
        rng = np.random.default_rng(seed)
        return {
            "ratings": self.ratings(rng),
            "votes": self.votes(rng),
            "attributions": self.attributions(rng),
        }
