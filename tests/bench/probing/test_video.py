"""Clips with one planted fault each: every measure orders its own and is deaf to the others'."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench import manifest
from bench.cli import main
from bench.clips import write_ffv1, write_h264
from bench.importing import import_outputs
from bench.media import pixel_hash
from bench.probing import video
from bench.probing.embeddings import load_network
from bench.probing.run import Probing, probe
from bench.records import ModelSpec
from tests.bench.probing.material import TRADITIONS, references
from tests.bench.probing.planted_clips import FAULTS, clip, painted_clip
from tests.conftest import write_yaml

OWN = {"flicker": "flicker", "motion": "motion", "jumps": "background_steadiness"}


def measured(fault: str, amount: float) -> video.Measures:
    found = [
        video.measure([video.small_copy(frame) for frame in clip(fault, amount, seed)])
        for seed in range(3)
    ]
    whole = [one for one in found if one is not None]
    assert len(whole) == 3
    return video.Measures(
        *(
            float(np.mean([getattr(one, name) for one in whole]))
            for name in ("background_steadiness", "flicker", "motion", "frames")
        )
    )


@pytest.mark.parametrize("fault", list(OWN))
def test_each_measure_orders_its_own_fault(fault: str) -> None:
    values = [getattr(measured(fault, amount), OWN[fault]) for amount in FAULTS[fault]]
    steps = np.diff(values)
    assert (steps < 0).all() if OWN[fault] == "background_steadiness" else (steps > 0).all(), values


def test_each_measure_is_deaf_to_the_faults_of_others() -> None:
    calm = measured("flicker", 0)
    for fault, amounts in FAULTS.items():
        loud = measured(fault, amounts[-1])
        if fault != "flicker":
            assert loud.flicker == pytest.approx(calm.flicker, abs=0.004), fault
        if fault != "motion":
            assert loud.motion == pytest.approx(calm.motion, abs=0.003), fault
        if fault != "jumps":
            assert loud.background_steadiness == pytest.approx(
                calm.background_steadiness, abs=0.05
            ), fault


def test_a_drift_of_style_is_the_net_path_and_no_swing() -> None:
    steady = np.tile([0.8, 0.1, 0.1], (12, 1))
    away = np.linspace([1, 0, 0], [0, 1, 0], 12)
    to_and_fro = np.array([[1, 0, 0], [0, 1, 0]] * 6, float)
    assert video.style_drift(steady) == pytest.approx(0)
    assert video.style_drift(away) > 0.7
    assert video.style_drift(to_and_fro) == pytest.approx(0, abs=1e-9)


def style_drift_of(fault: str, amount: float) -> float:
    network = load_network("atelier-probe")
    assert network.head is not None
    drifts = []
    for seed in range(3):
        frames = painted_clip(fault, amount, seed)
        chosen = [frames[number] for number in video.seen_frames(len(frames))]
        seen = network.see([network.prepare(Image.fromarray(frame)) for frame in chosen])
        drifts.append(video.style_drift(network.head(seen)))
    return float(np.mean(drifts))


def test_a_drift_of_style_is_seen_where_the_probe_knows_the_styles_and_no_other_fault_is() -> None:
    drifts = [style_drift_of("drift", amount) for amount in FAULTS["drift"]]
    assert (np.diff(drifts) > 0).all(), drifts
    for fault in OWN:
        assert style_drift_of(fault, FAULTS[fault][-1]) < drifts[2] / 4, fault


def video_run(folder: Path, frames: int = 8) -> Path:
    prompts = {target: {"en": f"a clip {target}"} for target in (*TRADITIONS, "none")}
    content = {
        "suite": "moving",
        "version": 1,
        "modality": "video",
        "home": "chinese",
        "traditions": list(TRADITIONS),
        "scenes": [{"id": f"scene-{number}", "prompts": prompts} for number in range(2)],
    }
    path = write_yaml(folder / "moving.yaml", content)
    given = folder / "given"
    given.mkdir()
    for scene in range(2):
        for seed in range(2):
            made = np.stack(clip("motion", scene + seed, seed + 10 * scene)[:frames])
            write_h264(given / f"scene-{scene}--chinese--en--{seed}.mp4", made, 8)
    done = import_outputs(given, ModelSpec("mover", "", "1"), folder / "run", suite=str(path))
    assert not done.refused, done.refused
    return folder / "run"


def test_clips_get_rows_and_scores_and_are_read_once(tmp_path: Path) -> None:
    run = video_run(tmp_path)
    assert main(["probe", str(run), "--network", "atelier-probe"]) == 0
    table = pd.read_parquet(run / "probes.parquet")
    rows = table[table["kind"] == "video"]
    assert len(rows) == len(manifest.read_outputs(run)) == 4
    assert set(rows["frames_from"]) == {"h264"}
    for measure in (
        "subject_steadiness",
        "background_steadiness",
        "flicker",
        "motion",
        "style_drift",
    ):
        assert rows[measure].notna().all(), measure
    assert probe(run, Probing(network="atelier-probe")).new == 0


def test_a_master_gives_exact_frames_and_another_one_in_its_place_is_named(tmp_path: Path) -> None:
    run = video_run(tmp_path)
    (run / "masters").mkdir(exist_ok=True)
    rows = manifest.read_outputs(run)
    for number, row in enumerate(rows):
        made = np.stack(clip("motion", 1, number)[:8])
        row["master"] = f"masters/{row['key']}.mkv"
        row["pixel_sha256"] = pixel_hash(made)
        write_ffv1(run / row["master"], made, 8)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (run / "metadata.jsonl").write_text(text, encoding="utf-8")
    assert not probe(run, Probing(network="none")).faults
    table = pd.read_parquet(run / "probes.parquet")
    assert set(table["frames_from"]) == {"ffv1"}
    shutil.copyfile(run / rows[1]["master"], run / rows[0]["master"])
    told = f"changed or torn: the master of {rows[0]['file_name']} has other pixels"
    assert probe(run, Probing(network="none")).faults == (
        told,
    )  # it was seen before, and is cached
    shutil.rmtree(run / ".state" / "probe")
    assert probe(run, Probing(network="none")).faults == (told,)
    # the same pixels in another file are the same clip
    write_ffv1(run / rows[0]["master"], np.stack(clip("motion", 1, 0)[:8]), 9)
    assert not probe(run, Probing(network="none")).faults
    (run / rows[0]["master"]).unlink()
    (fault,) = probe(run, Probing(network="none")).faults
    assert fault.startswith(f"missing: {rows[0]['file_name']}'s master")


def test_pictures_are_references_for_clips_and_both_are_kept(tmp_path: Path) -> None:
    run, works = video_run(tmp_path), references(tmp_path / "works", 6)
    assert main(["probe", str(run), "--network", "atelier-probe", "--references", str(works)]) == 0
    table = pd.read_parquet(run / "probes.parquet")
    linear = table[table["probe"] == "linear:atelier-probe"]
    assert (linear["model"] == "reference").sum() == 18
    assert (linear["model"] == "mover").sum() == 4
    assert linear.loc[linear["model"] == "mover", "p_chinese"].notna().all()
    assert probe(run, Probing(network="atelier-probe", references=works)).new == 0


def test_too_few_frames_have_no_measure_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = video_run(tmp_path, frames=3)
    assert main(["probe", str(run), "--network", "none"]) == 0
    assert main(["score", "--run", str(run)]) == 0
    assert "flicker  mover: none (too few frames)" in capsys.readouterr().out
