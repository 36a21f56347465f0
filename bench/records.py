"""The nouns. Everything else in Pinlu is verbs on these frozen, typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of every file and database that Pinlu writes."""

REFERENCE = "reference"
"""The model id of human-made works (or, in the demo, of the painter's pictures)."""

NEUTRAL = "none"
"""The target of a prompt that names no tradition."""

CUE = "caption names the target"
"""What is noted of an output whose scene has no prompt without a tradition to show in its place."""

SIMULATED = "simulated"
"""The rater group of simulated raters; every table and page made from it says so."""

NOT_APPLICABLE = "not_applicable"
"""The answer to a scale about something that a picture neither has nor was asked for; and the
column of a table of ratings that says so of a row without a value."""

Modality = Literal["image", "video", "understanding"]
AssignmentKind = Literal[
    "training", "warm_up", "single", "reference", "foil", "repeat", "attention", "pair", "detection"
]
OutputStatus = Literal["ok", "suspect"]
Winner = Literal["left", "right", "tie", "both_bad"]
Diagnosticity = Literal["", "distinct", "shared", "hybrid", "not-applicable"]
"""Whether a scene or a work tells traditions apart: only `distinct` ones, and those of which
nothing is said, enter the confirmatory indices of style bias."""

FOIL = "foil"
"""The diagnosticity of a work of a tradition that is not among those compared."""

WorkDiagnosticity = Literal[Diagnosticity, "foil"]
"""That of a work, which may be a foil too."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One scene asked in one tradition. `id` is `scene/target`; `text` and `notes` are by language."""

    id: str
    suite: str
    scene: str
    target: str
    modality: Modality
    text: Mapping[str, str]
    genre: str = ""
    tags: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    stratum: str = ""
    diagnosticity: Diagnosticity = ""
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One checkpoint and how it is called.

    `source` is a hub id or a folder; `revision` a commit on the hub or the hash of a folder's
    content. `dtype` maps a part ("default", "vae", …) to a torch dtype's name. `arguments` go to
    the pipeline's call as they stand. `device_map` lays a model that is too large for one device
    over all that a worker sees: "balanced" part by part, "auto" the denoiser layer by layer.
    `context_parallel`: over how many devices what passes through the denoiser is cut (see
    `bench.context_parallel`); pixels may differ in their last bits. `speedups` (see
    `bench.speedups`) change pictures; empty unless asked for.
    """

    id: str
    source: str
    revision: str
    modality: Modality = "image"
    dtype: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    languages: tuple[str, ...] = ()
    licence: str = ""
    origin: str = ""
    pickled_weights: bool = False
    speedups: Mapping[str, Any] = field(default_factory=dict)
    device_map: str = ""
    context_parallel: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One output to be made. `key` is the SHA-256 of everything that decides the pixels."""

    key: str
    prompt: str
    language: str
    text: str
    model: str
    seed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one model and one shape: the unit of work, of resume and of distribution.

    `size` is fixed by the plan; a batch with fewer jobs is padded by repeating its last one.
    `frames` is what its scenes ask for; None: the model's own number.
    """

    model: str
    index: int
    size: int
    jobs: tuple[Job, ...]
    frames: int | None = None

    def __post_init__(self) -> None:
        """Refuse an empty or overfull batch."""
        if not 1 <= len(self.jobs) <= self.size:
            msg = f"batch {self.index} of {self.model} holds {len(self.jobs)} jobs, its size is {self.size}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Output:
    """One row of `metadata.jsonl`: the columns in the order in which they are written.

    Of clips `duration` is in seconds, and `master` the lossless file beside, where there is one.
    `speedups` says what was asked to make the model faster at the cost of other pictures. `seconds`
    are those of all `devices` that worked on it.
    """

    file_name: str
    key: str
    model: str
    prompt: str
    language: str
    text: str
    seed: int
    width: int
    height: int
    frames: int | None
    fps: float | None
    sha256: str
    pixel_sha256: str
    status: OutputStatus
    suite: str
    suite_hash: str
    note: str = ""
    seconds: float | None = None
    batch: int | None = None
    batch_size: int | None = None
    device: str = ""
    duration: float | None = None
    master: str = ""
    speedups: str = ""
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of `metadata.jsonl` of a run of understanding: what a model said of a work.

    The first columns are those of `Output`: `prompt` is `work/question`, `text` the question,
    `width`, `height` and `pixel_sha256` are the picture's, `sha256` is that of the answer. No file
    belongs to it. `target` is the work's tradition; `flags` say what is wrong with the text; tokens
    are counted as the model counts them; `cost` is in the currency of the price that was told.
    """

    file_name: str
    key: str
    model: str
    prompt: str
    language: str
    text: str
    seed: int
    width: int
    height: int
    frames: int | None
    fps: float | None
    sha256: str
    pixel_sha256: str
    status: OutputStatus
    suite: str
    suite_hash: str
    answer: str
    work: str
    question: str
    target: str
    genre: str
    flags: tuple[str, ...] = ()
    note: str = ""
    asked_tokens: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    batch_size: int | None = None
    device: str = ""
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What a rater is shown: an opaque id and a cleaned copy. Nothing here names a model.

    `seconds` is how long a clip plays, None of a picture.
    """

    id: str
    file: str
    width: int
    height: int
    sha256: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One thing that one rater is asked, stored before it is first shown.

    `stimuli` holds one id, or for a pair two: left, then right. A rater's assignments fall into
    sessions, from 1.
    """

    id: str
    rater: str
    position: int
    kind: AssignmentKind
    stimuli: tuple[str, ...]
    rubric_hash: str
    occasion: int = 0
    session: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """One event of one assignment, append-only; the last one counts."""

    assignment: str
    event_id: str
    payload: Mapping[str, Any]
    received_at: str
    client_time: str
    language: str
    version: str


@dataclass(frozen=True, slots=True)
class Score:
    """One row of `scores.csv`: a value with its interval, or NaN with a reason."""

    study: str = ""
    source: str = "raters"
    slice: str = ""
    metric: str = ""
    criterion: str = ""
    model: str = ""
    against: str = ""
    group: str = ""
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    confidence: float = 0.95
    level: str = ""
    n_items: int = 0
    n_raters: int = 0
    n_values: int = 0
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """One criterion of a rubric: label, question, anchors (1, 3, 5) and an example, by language.

    `applies_to` names the genres of which it is asked; empty means all.
    """

    id: str
    level: Literal["nominal", "ordinal", "interval", "ratio"]
    low: int
    high: int
    label: Mapping[str, str]
    question: Mapping[str, str]
    anchors: Mapping[int, Mapping[str, str]]
    example: Mapping[str, str] = field(default_factory=dict)
    applies_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rubric:
    """Named scales; `hash` is that of their content and goes with every response.

    `not_applicable` says that a scale may be answered so, where a picture has nothing of it.
    `weights` are those of the scales in the overall score; equal where it is empty.
    """

    id: str
    version: int
    scales: tuple[Scale, ...]
    hash: str
    not_applicable: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
