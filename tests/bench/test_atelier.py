"""The embedded models: painter, captions, classifier of manners, and the shipped checkpoints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image, ImageFilter

from bench.atelier import words
from bench.atelier.brush import Canvas
from bench.atelier.captions import LANGUAGES, caption
from bench.atelier.checkpoint import load, read_training, train_model
from bench.atelier.composition import SUBJECTS
from bench.atelier.denoiser import _draw_times
from bench.atelier.manner import MannerModel, crispness, fit
from bench.atelier.measure import generate
from bench.atelier.mixture import expected_mixture
from bench.atelier.painter import MANNERS, draw_subjects, paint
from bench.atelier.shared import Recipe, prepare_shared_parts
from bench.errors import RequestError

CHECKPOINTS = Path(__file__).parents[2] / "bench" / "atelier" / "checkpoints"
NAMES = ("atelier-balanced", "atelier-japan", "atelier-west")
MEBIBYTE = 2**20


def painted(manner: str, seed: int, size: int = 64) -> Image.Image:
    rng = np.random.default_rng(seed)
    return paint(manner, draw_subjects(rng), rng, size)


@pytest.fixture(scope="module")
def classifier() -> MannerModel:
    return fit(np.random.default_rng(0), pictures_per_manner=80)


@pytest.mark.parametrize("manner", MANNERS)
def test_the_same_seed_paints_the_same_picture(manner: str) -> None:
    assert painted(manner, 7).tobytes() == painted(manner, 7).tobytes()
    assert painted(manner, 7).tobytes() != painted(manner, 8).tobytes()


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_can_be_painted_in_every_manner(manner: str, subject: str) -> None:
    picture = paint(manner, [subject], np.random.default_rng(1), 48)
    assert picture.size == (48, 48)
    assert np.asarray(picture).std() > 5


@pytest.mark.parametrize(
    ("manner", "subjects", "word"),
    [
        ("cubist", ["moon"], "cubist"),
        ("chinese", ["dragon"], "dragon"),
        ("chinese", [], "one to three"),
        ("chinese", ["moon", "moon"], "one to three"),
    ],
)
def test_the_painter_refuses_what_it_cannot_paint(
    manner: str, subjects: list[str], word: str
) -> None:
    with pytest.raises(RequestError, match=word):
        paint(manner, subjects, np.random.default_rng(0))


def test_what_is_painted_later_covers_what_came_before() -> None:
    canvas = Canvas(32, (0, 0, 0))
    canvas.disc((0.5, 0.5), 0.3, (255, 0, 0))
    canvas.wash((0, 0, 255), np.ones((32, 32), np.float32))
    assert canvas.image.getpixel((16, 16)) == (0, 0, 255)


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_name_the_tradition_only_when_asked(language: str) -> None:
    rng = np.random.default_rng(0)
    tables = (words.TRADITION_NAMES, words.TRADITION_MEDIA)
    for _ in range(300):
        neutral = caption(draw_subjects(rng), None, language, rng).lower()
        for table in tables:
            for names in table[language].values():
                assert not any(name.lower() in neutral for name in names.split("|"))
        asked = caption(draw_subjects(rng), "japanese", language, rng).lower()
        japanese = [name for table in tables for name in table[language]["japanese"].split("|")]
        assert any(name.lower() in asked for name in japanese)


def test_captions_are_decided_by_the_generator_and_speak_their_language() -> None:
    for language in LANGUAGES:
        first, second = (
            [caption(["boat"], None, language, rng) for _ in range(20)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))
        )
        assert first == second
        assert all(text.isascii() == (language == "en") for text in first)
    with pytest.raises(RequestError, match="no captions"):
        caption(["boat"], None, "fr", np.random.default_rng(0))


def test_the_classifier_tells_fresh_and_blurred_paintings_apart(classifier: MannerModel) -> None:
    pictures = [painted(manner, 1000 + seed, 128) for seed in range(20) for manner in MANNERS]
    truth = np.tile(np.arange(3), 20)
    for copies in (pictures, [picture.filter(ImageFilter.GaussianBlur(1)) for picture in pictures]):
        probabilities = classifier.predict(copies)
        assert probabilities.shape == (60, 3)
        assert np.allclose(probabilities.sum(axis=1), 1)
        assert (probabilities.argmax(axis=1) == truth).mean() >= 0.95


@pytest.mark.parametrize("manner", MANNERS)
def test_blur_costs_crispness(manner: str) -> None:
    picture = painted(manner, 11, 128)
    blurred = picture.filter(ImageFilter.GaussianBlur(1.5))
    assert 0 <= crispness(blurred) < 0.5 < crispness(picture) <= 1


def test_the_expected_mixture_follows_bayes() -> None:
    west = (0.1, 0.1, 0.8)
    # By hand: 0.1 (0.6 + 0.4/3), 0.1 (0.4/3), 0.8 (0.4/3), over their sum 29/150
    assert expected_mixture(west, "chinese") == pytest.approx(
        [0.11 / 0.29, 0.02 / 0.29, 0.16 / 0.29]
    )
    assert expected_mixture(west, None) == pytest.approx(west)
    leaks = [expected_mixture(west, "chinese", guidance)[2] for guidance in (1.0, 1.5, 2.0, 3.0)]
    assert leaks == sorted(leaks, reverse=True)


def test_the_package_opens_without_torch() -> None:
    check = "import sys, bench.atelier; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_command_line_paints(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    command = ["-m", "bench.atelier", "paint", "chinese", "pine", "moon", "--out", str(file)]
    subprocess.run([sys.executable, *command], check=True)
    with Image.open(file) as picture:
        assert picture.size == (128, 128)


def test_training_runs_from_pictures_to_a_model_that_paints(tmp_path: Path) -> None:
    recipe = Recipe(
        pictures=9,
        autoencoder_steps=1,
        decoder_steps=1,
        captions=300,
        text_steps=12,
        text_batch_size=2,
        base_steps=1,
        steps=1,
        batch_size=2,
    )
    device = torch.device("cpu")
    prepare_shared_parts(tmp_path / "shared", recipe, device)
    parts = prepare_shared_parts(tmp_path / "shared", recipe, device)
    shares = {"chinese": 0.1, "japanese": 0.1, "western": 0.8}
    folder = train_model(
        parts, name="tiny", shares=shares, recipe=recipe, out=tmp_path, device=device
    )
    assert read_training(folder)["shares"] == shares
    (picture,) = generate(load(folder), ["一叶孤舟"], seed=0, steps=2)
    assert picture.size == (128, 128)


def test_the_shipped_checkpoints_stay_small() -> None:
    def size(pattern: str) -> int:
        files = (file for folder in CHECKPOINTS.glob(pattern) for file in folder.rglob("*"))
        return sum(file.stat().st_size for file in files if file.is_file())

    readers = size("atelier-reader*")
    assert 0 < readers <= 10 * MEBIBYTE
    assert 0 < size("atelier-*") - readers <= 20 * MEBIBYTE


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_checkpoint_loads_by_itself_and_paints(name: str) -> None:
    pipeline = DiffusionPipeline.from_pretrained(
        CHECKPOINTS / name, dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    prose = "秋江宽阔，一叶孤舟漂在画面下方，远山淡淡，高士策杖过桥，雨后的松林寂静无人。" * 2
    ids = pipeline.tokenizer(prose).input_ids
    assert len(ids) < pipeline.tokenizer.model_max_length
    assert prose in pipeline.tokenizer.decode(ids, skip_special_tokens=True)
    picture = pipeline(
        prose,
        num_inference_steps=4,
        guidance_scale=2.0,
        generator=torch.Generator("cpu").manual_seed(0),
    ).images[0]
    assert picture.size == (128, 128)
    assert np.asarray(picture).std() > 10


def test_the_checkpoints_differ_in_the_denoiser_alone() -> None:
    def content(name: str, part: str) -> bytes:
        (file,) = (CHECKPOINTS / name / part).glob("*.safetensors")
        return file.read_bytes()

    for part in ("vae", "text_encoder"):
        assert len({content(name, part) for name in NAMES}) == 1
    assert len({content(name, "unet") for name in NAMES}) == 3


def test_noise_levels_lie_where_the_manner_is_decided_if_asked() -> None:
    torch.manual_seed(0)
    usual, decisive = (_draw_times(20_000, share) for share in (0.0, 0.75))
    assert ((usual > 0.85) & (usual < 0.99)).float().mean() < 0.05
    assert ((decisive > 0.85) & (decisive < 0.99)).float().mean() > 0.5
    # and a quarter is left for the rest of the picture
    assert 0.1 < (decisive < 0.5).float().mean() < 0.15
