"""The triangle: where points lie, for any number of traditions, and how large their regions are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from leaderboard.ternary import corners_of, point_of, ternary_panel

LABELS = ["ours", "theirs", "others", "other", "cannot_tell"]
UNKNOWN = np.full((5, 5), np.nan)


def test_three_traditions_make_one_triangle_whose_corners_sum_to_one() -> None:
    (corners,) = corners_of(["ours", "theirs", "others"], LABELS)
    point = point_of("model", [0.4, 0.2, 0.2, 0.1, 0.1], UNKNOWN.tolist(), corners, 0.95)
    assert point is not None
    assert point.shares == pytest.approx((0.5, 0.25, 0.25))
    assert point.outside == pytest.approx(0.2)
    assert point.region is None


@pytest.mark.parametrize("traditions", [["ours", "theirs"], ["ours", "theirs", "others", "other"]])
def test_other_numbers_make_a_triangle_each_and_lose_no_share(traditions: list[str]) -> None:
    found = corners_of(traditions, LABELS)
    assert [corners.names for corners in found] == [("ours", name, "") for name in traditions[1:]]
    for corners in found:
        point = point_of("model", [0.4, 0.2, 0.2, 0.1, 0.1], UNKNOWN.tolist(), corners, 0.95)
        assert point is not None
        assert point.outside == pytest.approx(0.0)
        assert point.shares[0] == pytest.approx(0.4)


def test_a_region_holds_what_its_confidence_says() -> None:
    (corners,) = corners_of(["ours", "theirs", "others"], LABELS[:3])
    rng = np.random.default_rng(0)
    truth = np.array([0.5, 0.3, 0.2])
    draws = rng.multinomial(400, truth, 4000) / 400
    covariance = np.cov(draws.T)
    point = point_of("model", truth.tolist(), covariance.tolist(), corners, 0.9)
    assert point is not None
    assert point.region is not None
    # in the plane of the first two shares, by the sign of the winding about each draw
    outline, inside = point.region[:, :2], 0
    for x, y in draws[:, :2]:
        angle = np.unwrap(np.arctan2(*(outline - (x, y)).T[::-1]))
        closed = np.concatenate(
            [angle, [angle[0] + 2 * np.pi * round((angle[-1] - angle[0]) / 6.1)]]
        )
        inside += abs(closed[-1] - closed[0]) > np.pi
    assert inside / len(draws) == pytest.approx(0.9, abs=0.02)


def test_a_region_at_the_edge_stays_in_the_triangle() -> None:
    (corners,) = corners_of(["ours", "theirs", "others"], LABELS[:3])
    covariance = 0.02 * (np.diag([0.98, 0.01, 0.01]) - np.outer(*[[0.98, 0.01, 0.01]] * 2))
    point = point_of("model", [0.98, 0.01, 0.01], covariance.tolist(), corners, 0.95)
    assert point is not None
    assert point.region is not None
    assert point.region.min() >= 0
    assert point.region.sum(axis=1) == pytest.approx(np.ones(72))


def test_nothing_seen_in_any_corner_has_no_point() -> None:
    (corners,) = corners_of(["ours", "theirs", "others"], LABELS)
    assert point_of("model", [0, 0, 0, 0.5, 0.5], UNKNOWN.tolist(), corners, 0.95) is None


def test_an_initial_is_hidden_by_no_number() -> None:
    """A model seen just where the references of a corner are leaves their initial another side."""
    (corners,) = corners_of(["ours", "theirs", "others"], LABELS[:3])
    zero = np.zeros((3, 3)).tolist()
    works = point_of("works", [0.0, 0.9, 0.1], zero, corners, 0.95)
    assert works is not None
    shares = [[0.0, 0.96, 0.04], [0.0, 0.82, 0.18], [0.05, 0.86, 0.09]]
    models = [point for each in shares if (point := point_of("m", each, zero, corners, 0.95))]
    body = ternary_panel("title", ["a", "b", "c"], models, [works], None).body
    found = re.search(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>w</text>', body)
    assert found is not None
    place = np.array([float(found[1]), float(found[2]) - 4.5])
    dots = [
        np.array([float(x), float(y)])
        for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', body)
    ]
    assert len(dots) == 3
    assert min(np.hypot(*(place - dot)) for dot in dots) > 14
