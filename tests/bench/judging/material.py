"""What the tests of judges share: a small rubric, a run of painted pictures, a judge with a taste."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.bench.probing.material import painted_run
from tests.bench.serving_model import text_of
from tests.conftest import write_yaml

SCALES = ("spirit", "brush")
MANNERS = {
    "balanced": {"chinese": "chinese", "none": "chinese"},
    "west": {"chinese": "western", "none": "western"},
}


def rubric_file(folder: Path, **more: Any) -> Path:
    scales = [
        {
            "id": name,
            "label": {"en": name, "zh": name},
            "question": {"en": f"Is there {name}?", "zh": f"有{name}吗？"},
            "anchors": {1: {"en": "none", "zh": "没有"}, 5: {"en": "much", "zh": "很有"}},
        }
        for name in SCALES
    ]
    content = {"rubric": "small", "version": 1, "not_applicable": True, "scales": scales} | more
    return write_yaml(folder / "small.yaml", content)


def judged_run(folder: Path, scenes: int = 3, seeds: int = 2) -> Path:
    """Two models, one of which paints in a Western manner: pictures of `scenes` × `seeds` each."""
    return painted_run(folder, MANNERS, scenes=scenes, seeds=seeds, targets=("chinese",))


def pictures_of(asked: dict[str, Any]) -> list[Image.Image]:
    parts = asked["messages"][0]["content"][:-1]
    addresses = [part["image_url"]["url"].partition(",")[2] for part in parts]
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in addresses]


def paleness(image: Image.Image) -> float:
    """In [0, 1]: ink on paper is pale, oil is not."""
    return float(np.asarray(image.convert("L"), float).mean() / 255)


def tasteful(asked: dict[str, Any]) -> str:
    """A judge that likes pale pictures, in right JSON; between like ones it takes the first."""
    looks = [paleness(one) for one in pictures_of(asked)]
    if len(looks) == 2:
        winner = "first" if looks[0] > looks[1] - 0.02 else "second"
        return json.dumps({"reason": "more paper is left blank", "winner": winner})
    names = re.findall(r"^([a-z-]+) \(\d", text_of(asked), re.MULTILINE)
    score = 1 + round(4 * looks[0])
    return json.dumps({name: {"reason": "pale", "score": score} for name in names})
