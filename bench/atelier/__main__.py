"""The atelier's command line: `python -m bench.atelier paint|train|measure|probe|read|sheet`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from bench.atelier.composition import SUBJECTS
from bench.atelier.painter import MANNERS, paint
from bench.errors import PinluError, RequestError

_SHARES_TOLERANCE = 1e-3


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m bench.atelier", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("paint", help="paint one picture by program")
    command.add_argument("manner", choices=MANNERS)
    command.add_argument("subjects", nargs="+", help=f"one to three of {', '.join(SUBJECTS)}")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--size", type=int, default=128, help="side in pixels")
    command.add_argument("--out", type=Path, required=True, help="image file to write")
    command.set_defaults(run=_paint)

    command = commands.add_parser("train", help="train one model on a mixture of traditions")
    command.add_argument("--name", required=True, help="the model's folder in --out")
    command.add_argument(
        "--shares",
        type=_shares,
        required=True,
        help="shares of the manners, as in chinese=0.1,japanese=0.1,western=0.8",
    )
    command.add_argument("--out", type=Path, required=True)
    command.add_argument(
        "--shared",
        type=Path,
        required=True,
        help="folder for the parts that models share, made once",
    )
    command.add_argument("--steps", type=int, help="steps on this mixture")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", default="cpu")
    command.set_defaults(run=_train)

    command = commands.add_parser("measure", help="measure a model's mixture and write its card")
    command.add_argument("folder", type=Path)
    command.add_argument("--count", type=int, default=32, help="pictures for each request")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=_measure)

    command = commands.add_parser("probe", help="train the network that tells the manners apart")
    command.add_argument("--shared", type=Path, required=True, help="folder for its pictures")
    command.add_argument("--pictures", type=int, default=2400)
    command.add_argument("--steps", type=int, default=1200)
    command.add_argument("--seed", type=int, default=11)
    command.add_argument("--out", type=Path, help="file to write (the shipped one)")
    command.set_defaults(run=_probe)

    command = commands.add_parser("read", help="train the two readers of pictures")
    command.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=_read)

    command = commands.add_parser("sheet", help="make a contact sheet")
    command.add_argument("folders", nargs="*", type=Path, help="checkpoints; none for the painter")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", type=Path, required=True, help="image file to write")
    command.set_defaults(run=_sheet)

    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        arguments.run(arguments)
    except PinluError as error:
        parser.exit(error.exit_status, f"{error}\n")


def _shares(text: str) -> dict[str, float]:
    """Read `chinese=0.1,japanese=0.1,western=0.8`."""
    given = dict(part.split("=", 1) for part in text.split(","))
    shares = {manner: float(given.pop(manner, "0")) for manner in MANNERS}
    if given:
        raise argparse.ArgumentTypeError(f"unknown manner {next(iter(given))!r}")
    if abs(sum(shares.values()) - 1) > _SHARES_TOLERANCE or min(shares.values()) < 0:
        raise argparse.ArgumentTypeError("shares must be positive and sum to 1")
    return {manner: share / sum(shares.values()) for manner, share in shares.items()}


def _paint(arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(arguments.seed)
    paint(arguments.manner, arguments.subjects, rng, arguments.size).save(arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415 - painting needs no torch

    from bench.atelier.checkpoint import train_model  # noqa: PLC0415 - loads torch
    from bench.atelier.shared import Recipe, prepare_shared_parts  # noqa: PLC0415 - loads torch

    device = torch.device(arguments.device)
    recipe = Recipe(seed=arguments.seed)
    if arguments.steps is not None:
        recipe = Recipe(seed=arguments.seed, steps=arguments.steps)
    parts = prepare_shared_parts(arguments.shared, recipe, device)
    train_model(
        parts,
        name=arguments.name,
        shares=arguments.shares,
        recipe=recipe,
        out=arguments.out,
        device=device,
    )


def _read(arguments: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415 - painting needs no torch

    from bench.atelier.reader.answers import QUESTIONS  # noqa: PLC0415 - beside the next
    from bench.atelier.reader.training import ReaderRecipe, train_readers  # noqa: PLC0415 - torch
    from bench.demo_understanding import MISTAKEN, SUITE  # noqa: PLC0415 - beside the others
    from bench.suites import load_suite  # noqa: PLC0415 - beside the others

    torch.set_num_threads(1)  # the shipped ones were trained on one
    texts = {question.id: question.text for question in load_suite(SUITE).questions}
    asked = {name: texts[name] for name in QUESTIONS}
    train_readers(asked, MISTAKEN, arguments.out, ReaderRecipe(seed=arguments.seed))


def _measure(arguments: argparse.Namespace) -> None:
    from bench.atelier.measure import measure_model  # noqa: PLC0415 - loads torch

    if not (arguments.folder / "training.json").exists():
        raise RequestError(f"{arguments.folder} is no atelier checkpoint: it has no training.json")
    measure_model(arguments.folder, count=arguments.count, seed=arguments.seed)


def _probe(arguments: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415 - painting needs no torch

    from bench.atelier.dataset import load_training_set  # noqa: PLC0415
    from bench.atelier.probe import FILE, save_probe, train_probe  # noqa: PLC0415 - loads torch

    pictures = load_training_set(arguments.shared, arguments.pictures, arguments.seed)
    device = torch.device("cpu")
    network, accuracy = train_probe(
        pictures, steps=arguments.steps, seed=arguments.seed, device=device
    )
    save_probe(network, accuracy, arguments.out or FILE)
    logging.getLogger(__name__).info(
        "told the manner of %.1f %% of held-out pictures", 100 * accuracy
    )


def _sheet(arguments: argparse.Namespace) -> None:
    from bench.atelier.sheet import model_sheet, painter_sheet, save_sheet  # noqa: PLC0415 - loads torch

    if arguments.folders:
        picture = model_sheet(arguments.folders, arguments.seed)
    else:
        picture = painter_sheet(np.random.default_rng(arguments.seed))
    save_sheet(picture, arguments.out)


if __name__ == "__main__":
    main()
