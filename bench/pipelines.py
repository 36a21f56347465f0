"""Checkpoints as diffusers pipelines: found, checked, loaded and called. Imports torch."""

from __future__ import annotations

import inspect
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from bench.context_parallel import check_context_parallel
from bench.device_maps import by_layers, bytes_of_others, check_device_map, memory_of_devices
from bench.errors import RequestError, WorkError, first_line
from bench.families import FAMILIES, IN_FP32, TO_THE_LONGEST
from bench.fast import begin_anew, decide_together
from bench.kinds import check_call, makes
from bench.models import as_written, load_model, read_model_file
from bench.placing import ROOM, speed_up
from bench.plan import call_arguments
from bench.records import Batch, Job, ModelSpec
from bench.sizes import check_asked, check_made
from bench.speedups import check_speedups

# A note per image processor that torchvision is not installed: nothing that a user can act on
transformers.utils.logging.set_verbosity_error()

ALONE = frozenset({"GlmImagePipeline", "HeliosPyramidPipeline", "HunyuanImagePipeline"})
"""Pipeline classes in which a job's neighbours in a batch decide its pixels: they draw from the
first generator alone, or choose the guidance by whether any prompt of the batch holds a quotation.
They are called for one job at a time."""


def device_kind() -> str:
    """Return what the pixels depend on: the accelerator's name, or the CPU's architecture."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu {platform.machine()}"


def has_gpu() -> bool:
    """Say whether there is a device for which several tunings are worth trying."""
    return torch.cuda.is_available()


def count_gpus() -> int:
    """Return how many GPUs this process sees."""
    return torch.cuda.device_count()


def settle_threads(threads: int | None) -> int:
    """Set the number of CPU threads (what the machine gives us by default) and return it."""
    ours = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    torch.set_num_threads(threads or len(ours))
    return torch.get_num_threads()


def settle_dtype(spec: ModelSpec) -> dict[str, str]:
    """Return the dtype per part: the spec's, else bf16 with what the family needs in fp32.

    Without a spec's word all is fp32 on the CPU.

    Raises:
        RequestError: a name that is no floating dtype of torch.
    """
    dtype, gpu = dict(spec.dtype), torch.cuda.is_available()
    if gpu and not dtype and spec.modality != "understanding":
        dtype |= dict.fromkeys(IN_FP32.get(_class_of(spec), ()), "float32")
    dtype.setdefault("default", "bfloat16" if gpu else "float32")
    for part, name in dtype.items():
        value = getattr(torch, name, None)
        if not isinstance(value, torch.dtype) or not value.is_floating_point:
            raise RequestError(f"model {spec.id}: dtype {name!r} of {part} is no dtype of torch")
    return dtype


def _class_of(spec: ModelSpec) -> str:
    """Return the pipeline class that a checkpoint names; nothing where it is no pipeline's."""
    try:
        return str(_index_of(spec)["_class_name"])
    except RequestError:
        return ""


def _index_of(spec: ModelSpec) -> dict[str, Any]:
    """Return the content of a checkpoint's model_index.json."""
    try:
        config = diffusers.DiffusionPipeline.load_config(spec.source, revision=on_hub(spec))
    except OSError as error:
        raise RequestError(
            f"cannot read model_index.json of {spec.source}: {' '.join(str(error).split())[:200]}"
        ) from error
    return dict(config)


def pipeline_class(spec: ModelSpec) -> str:
    """Return the name of the pipeline class, having checked the call's arguments against it.

    Raises:
        RequestError: diffusers has no such class, or its call takes no such argument.
    """
    config = _index_of(spec)
    name = config["_class_name"]
    check_call(spec.id, name, call_arguments(spec))
    check_speedups(spec.id, name, spec.speedups, call_arguments(spec))
    check_context_parallel(spec, name, config, revision=on_hub(spec))
    check_device_map(spec, name, config)
    return str(name)


def check_spec(name: str) -> None:
    """Hold a model's spec against the installed diffusers; the hub is asked only where it must be.

    Raises:
        RequestError: the class is not there, makes the other modality, or takes no such argument.
    """
    file, written = read_model_file(name), as_written(name)
    if file and file.modality == "understanding":
        if file.pipeline not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values():
            raise RequestError(
                f"model {name} needs {file.pipeline}, which transformers {transformers.__version__} "
                "does not load as image-text-to-text"
            )
        return
    if file and file.pipeline and written:
        check_call(written.id, file.pipeline, call_arguments(written))
        check_speedups(written.id, file.pipeline, written.speedups, call_arguments(written))
        check_context_parallel(written, file.pipeline, None)
        check_device_map(written, file.pipeline, None)
        if makes(file.pipeline) != written.modality:
            raise RequestError(
                f"model {name}: {file.pipeline} makes {makes(file.pipeline)}s, the spec says "
                f"{written.modality}"
            )
        settle_dtype(written)
    else:
        spec = load_model(name)
        pipeline_class(spec)
        settle_dtype(spec)


def path_of(name: str) -> str:
    """Return by which path a pipeline class makes outputs where memory allows: fast or plain."""
    return "fast" if name in FAMILIES else "plain"


def load(spec: ModelSpec, dtype: Mapping[str, str]) -> Any:
    """Read a checkpoint from safetensors into memory, without checker or watermark.

    Raises:
        WorkError: whatever the checkpoint raised, in one sentence.
    """
    diffusers.utils.logging.disable_progress_bar()  # ours is the one bar
    transformers.utils.logging.disable_progress_bar()
    parts = {part: getattr(torch, name) for part, name in dtype.items()}
    level = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()  # a part of a sibling class is no news
    read = {
        "revision": on_hub(spec),
        "use_safetensors": None if spec.pickled_weights else True,
    }
    over = spec.device_map if count_gpus() > 1 else ""
    try:
        config = diffusers.DiffusionPipeline.load_config(spec.source, revision=on_hub(spec))
        given = _left_out(config)
        if over == "auto":
            folder = _folder_of(spec)
            others = bytes_of_others(folder, config, parts)
            given |= by_layers(
                replace(spec, source=str(folder)),
                config,
                parts,
                partial(memory_of_devices, ROOM, others),
                use_safetensors=read["use_safetensors"],
            )
        elif over:
            given["device_map"] = over
        # of the class itself: the general one overlooks parts that are given and may be left out
        pipeline = getattr(diffusers, config["_class_name"]).from_pretrained(
            spec.source, dtype=parts, **read, **given
        )
    except Exception as error:
        raise WorkError(f"model {spec.id} does not load: {first_line(error)}") from error
    finally:
        diffusers.utils.logging.set_verbosity(level)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(getattr(pipeline, "vae", None), "enable_slicing"):
        pipeline.vae.enable_slicing()  # decoding one by one is what makes batches equal to singles
    speed_up(pipeline, spec.speedups, call_arguments(spec))
    return pipeline


def read_ahead(spec: ModelSpec, stop: threading.Event) -> None:
    """Fetch a model's files, and read them into the system's cache where memory takes them.

    Whatever goes wrong goes wrong again, and is said, when the model is loaded.
    """
    try:
        folder = _folder_of(spec)
        files = sorted(folder.rglob("*.safetensors"))
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if sum(file.stat().st_size for file in files) > free // 2:
            return
        for path in files:
            with path.open("rb") as file:
                while not stop.is_set() and file.read(1 << 24):
                    pass
    except Exception:  # noqa: BLE001 - said when the model is loaded
        return


def draw(pipeline: Any, batch: Batch, arguments: Mapping[str, Any]) -> npt.NDArray[np.floating]:
    """Run one batch by plain calls; each job draws its noise from a CPU generator of its own.

    Where neighbours decide nothing that is one call, padded to the batch's size.

    Returns:
        One picture per job (jobs × height × width × 3) or one clip (jobs × frames × height ×
        width × 3), in [0, 1].

    Raises:
        WorkError: the pipeline gave another number of outputs, or other sizes, than it was asked.
    """
    check_asked(pipeline, arguments)
    return np.concatenate([_draw(pipeline, one, arguments) for one in calls_of(pipeline, batch)])


def calls_of(pipeline: Any, batch: Batch) -> list[Batch]:
    """Cut a batch into calls in which no job decides another's pixels."""
    name = type(pipeline).__name__
    calls: list[tuple[Job, ...]]
    if name in ALONE or decide_together(pipeline):
        calls = [(job,) for job in batch.jobs]
    elif name in FAMILIES - TO_THE_LONGEST:
        return [batch]
    else:  # seeds of one prompt have no longer neighbour
        calls = [tuple(some) for _, some in groupby(batch.jobs, key=lambda job: job.text)]
    return [replace(batch, size=len(jobs), jobs=jobs) for jobs in calls]


def _draw(pipeline: Any, batch: Batch, arguments: Mapping[str, Any]) -> npt.NDArray[np.floating]:
    name = type(pipeline).__name__
    jobs = list(batch.jobs) + [batch.jobs[-1]] * (batch.size - len(batch.jobs))
    generators = [torch.Generator("cpu").manual_seed(job.seed) for job in jobs]
    negative = arguments.get("negative_prompt")
    if isinstance(negative, str):  # some pipelines encode one text once, for a batch of one
        arguments = {**arguments, "negative_prompt": [negative] * len(jobs)}
    begin_anew(pipeline)
    made = pipeline(
        prompt=[job.text for job in jobs],
        generator=generators,
        output_type="np",
        **arguments,
    )
    outputs = np.asarray(made.frames if hasattr(made, "frames") else made.images)
    if len(outputs) != len(jobs):
        raise WorkError(f"{name} gave {len(outputs)} outputs for {len(jobs)} jobs")
    if outputs.ndim not in {4, 5} or outputs.shape[-1] != 3:
        raise WorkError(f"{name} gave neither colour pictures nor clips: {outputs.shape}")
    check_made(name, outputs.shape, arguments)
    return outputs[: len(batch.jobs)]


def on_hub(spec: ModelSpec) -> str | None:
    """Return the revision to ask the hub for; None for a folder."""
    return None if os.path.isdir(spec.source) else spec.revision  # noqa: PTH112 - may be a hub id


def _folder_of(spec: ModelSpec) -> Path:
    """Return where a checkpoint's files lie, having fetched what is not there."""
    if on_hub(spec) is None:
        return Path(spec.source)
    return Path(
        diffusers.DiffusionPipeline.download(
            spec.source,
            revision=spec.revision,
            use_safetensors=None if spec.pickled_weights else True,
        )
    )


def _left_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the loading arguments that leave out safety checker and watermark where there are any.

    Both would change pictures, and a black picture in place of a refused one is worse than none.
    """
    takes = inspect.signature(getattr(diffusers, config["_class_name"]).__init__).parameters
    without: dict[str, Any] = {}
    if "safety_checker" in takes:
        without["safety_checker"] = None
    if "requires_safety_checker" in takes:
        without["requires_safety_checker"] = False
    if "add_watermarker" in takes:
        without["add_watermarker"] = False
    return without
