"""Fixtures shared by all tests: no hub, a small suite, tiny real checkpoints."""

from __future__ import annotations

import os

# threads that wait must not spin: tests share their cores
os.environ |= {
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

SCENE = {
    "id": "boat",
    "genre": "landscape",
    "notes": {"en": "the water is left empty", "zh": "水不着墨"},
    "prompts": {
        "chinese": {"zh": "一幅中国画：秋江孤舟", "en": "a Chinese painting of a lone boat"},
        "none": {"zh": "一幅画：秋江孤舟", "en": "a painting of a lone boat"},
    },
}


LONGEST = (
    "test_demo.py",
    "crew/test_slurm.py",
    "probing/test_by_workers.py",
    "crew/test_slurm_nodes.py",
    "crew/test_driving.py",
    "understanding/test_by_workers.py",
    "crew/test_ray.py",
    "judging/test_by_workers.py",
    "test_browser_asking.py",
    "test_context_parallel.py",
)
"""The files that take longest, first: so that none of them is left for the end, on one core alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        found = (at for at, file in enumerate(LONGEST) if str(item.path).endswith(f"/{file}"))
        return next(found, len(LONGEST))

    items.sort(key=place)


def suite_content(scenes: int = 2) -> dict[str, Any]:
    return {
        "suite": "tiny",
        "version": 1,
        "modality": "image",
        "home": "chinese",
        "traditions": ["chinese", "japanese"],
        # each its own, since tests change what they are given
        "scenes": [{**deepcopy(SCENE), "id": f"boat-{number}"} for number in range(scenes)],
    }


def write_yaml(path: Path, content: Any) -> Path:
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture
def suite_path(tmp_path: Path) -> Path:
    return write_yaml(tmp_path / "tiny.yaml", suite_content())


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests import tiny  # noqa: PLC0415 - torch only where a checkpoint is asked for

    return tiny.save("stable-diffusion", tmp_path_factory.mktemp("checkpoints") / "tiny-sd")
