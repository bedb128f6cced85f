"""Measure the time per clip of several implementations, and the agreement of their scores.

    python -m benchmarks.recognizer [--network slowfast_r50_4x16] [--batches 1,4,16] [--rounds 3]
    python -m benchmarks.recognizer --video demo/pedestrians.mp4   # agreement on real clips instead

Each round runs every method in turn, with the same weights and clips: plain eager PyTorch in
float32 on contiguous memory; the network of pytorchvideo where it is installed (it is in no
requirements file and has only the 8x8 network: use --network slowfast_r50_8x8); both backends of
this project through their public call, from uint8 crops to scores; and bare OpenVINO, from prepared
tensors to logits.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from models.checkpoints.checkpoint import load_recognizer
from models.inference.action_recognizer import ActionRecognizer, prepare_for_inference
from models.inference.clip_transform import ClipTransform
from models.inference.device import Backend
from models.inference.openvino_network import OpenVinoNetwork
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import ARCHITECTURES
from pipeline.components import build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.clips import cut_clips
from pipeline.stages.detection import detect_people
from pipeline.stages.tracking import track_people
from pipeline.types import Clip, ClippedFrame, Frame

EAGER, BARE = "plain eager float32", "bare OpenVINO"

BACKENDS: tuple[Backend, ...] = ("torch", "openvino")

ScoreCrops = Callable[[NDArray[np.uint8]], object]  # crops: (N, T, H, W, 3), BGR


class Pathways(nn.Module):
    """Compute logits from prepared pathway tensors."""

    def __init__(self, model: Recognizer3D) -> None:
        super().__init__()
        self.model = model

    def forward(self, *pathways: Tensor) -> Tensor:
        """Run the network without transform and activation."""
        return self.model.forward_pathways(*pathways)


def build_methods(model: Recognizer3D) -> dict[str, ScoreCrops]:
    """Build every available method that scores a batch of crops, by name."""
    spec = model.input_spec
    transform = ClipTransform(spec)
    ours = [ActionRecognizer(model, device="cpu", backend=backend) for backend in BACKENDS]
    methods: dict[str, ScoreCrops] = {EAGER: lambda crops: score_eagerly(model, transform, crops)}
    if importlib.util.find_spec("pytorchvideo") and spec.alpha == 4 and spec.clip_len == 32:
        network = pytorchvideo_network(len(spec.labels))
        methods["pytorchvideo"] = lambda crops: network(list(pathways(model, transform, crops)))
    for recognizer in ours:
        methods[f"ours, {recognizer.describe().partition(' on ')[2]}"] = public_call(recognizer)
    methods[BARE] = bare_openvino(model, transform)
    if torch.cuda.is_available():
        on_gpu = ActionRecognizer(model, device="cuda:0", batch_size=16)
        methods[f"ours, {on_gpu.describe().partition(' on ')[2]}"] = public_call(on_gpu)
    return methods


def public_call(recognizer: ActionRecognizer) -> ScoreCrops:
    """Return the public `predict` of a recognizer, from uint8 crops to scores."""
    return lambda crops: recognizer.predict(list(crops))


def pathways(model: Recognizer3D, transform: ClipTransform, crops: Any) -> tuple[Tensor, ...]:
    """Prepare the input tensors of both pathways in contiguous memory, (N, C, T, H, W)."""
    clip = transform(torch.from_numpy(crops)).contiguous()
    return tuple(x.contiguous() for x in model.select_pathways(clip))


def score_eagerly(model: Recognizer3D, transform: ClipTransform, crops: Any) -> Tensor:
    """Score crops with the unmodified network (no batch norm folded); return (N, classes)."""
    return model.cls_head.scores(model.forward_pathways(*pathways(model, transform, crops)))


def pytorchvideo_network(num_classes: int) -> nn.Module:
    """Build pytorchvideo's SlowFast R50 8x8; the random weights do not affect the time."""
    from pytorchvideo.models.slowfast import create_slowfast

    network: nn.Module = create_slowfast(model_num_class=num_classes)
    return network.eval()


def bare_openvino(model: Recognizer3D, transform: ClipTransform) -> ScoreCrops:
    """Return a call of the compiled network on prepared tensors: the lower bound of the time."""
    spec = model.input_spec
    prepared = prepare_for_inference(model, torch.device("cpu"), torch.float32)
    crops = np.zeros((1, spec.clip_len, spec.crop_size, spec.crop_size, 3), np.uint8)
    inputs = pathways(model, transform, crops)
    network = OpenVinoNetwork(Pathways(prepared).eval(), inputs, description="bare")
    arrays = [x.numpy() for x in inputs]
    return lambda crops: [network(*arrays) for _ in crops]


def measure(
    methods: dict[str, ScoreCrops], crops: NDArray[np.uint8], rounds: int
) -> dict[str, list[float]]:
    """Time each method; return the seconds per clip of each round after the warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    with torch.inference_mode():
        for index in range(rounds + 1):
            for name, score_crops in methods.items():
                started = time.perf_counter()
                score_crops(crops)
                if index:
                    seconds[name].append((time.perf_counter() - started) / len(crops))
    return seconds


def real_clips(video: Path, settings: list[str], limit: int) -> Iterator[NDArray[np.uint8]]:
    """Yield at most `limit` person clips, cut by the pipeline every 0.1 s; (T, H, W, 3) uint8."""
    config = load_config(None, settings)
    components = build_components(config, PROJECT)

    def frames() -> Iterator[list[Frame]]:
        with closing(VideoReader(video)) as reader:
            for index, decoded in enumerate(reader.frames()):
                yield [Frame(video.stem, index, decoded.pts_s, 0.0, decoded.image, 0.0)]

    detected = detect_people(frames(), components.detector, time.time)
    tracked = track_people(detected, components.new_tracker, time.time)
    items = cut_clips(tracked, components.clip_spec, time.time, stride_s=0.1)
    clips = (clip for item in items if isinstance(item, ClippedFrame) for clip in item.clips)
    return islice((clip.crops for clip in clips if isinstance(clip, Clip)), limit)


def agreement(
    model: Recognizer3D, clips: list[NDArray[np.uint8]]
) -> list[tuple[str, float, float]]:
    """Compare each backend with plain float32.

    Returns:
        Per backend: its name, the fraction of equal top-1 classes, the largest score difference.
    """
    transform = ClipTransform(model.input_spec)
    with torch.inference_mode():
        expected = np.concatenate(
            [score_eagerly(model, transform, clip[None]).numpy() for clip in clips]
        )
    rows = []
    for backend in BACKENDS:
        recognizer = ActionRecognizer(model, device="cpu", backend=backend)
        scores = recognizer.predict(clips)
        same = float((scores.argmax(axis=1) == expected.argmax(axis=1)).mean())
        rows.append((recognizer.describe(), same, float(np.abs(scores - expected).max())))
    return rows


def main(
    network: Annotated[
        str, typer.Option(help="Name of an architecture, or a checkpoint.")
    ] = "slowfast_r50_4x16",
    batches: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "1,4,16",
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds.")] = 3,
    video: Annotated[
        Path | None, typer.Option(help="Compare the scores on person clips of it instead.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Maximum number of clips of the video.")] = 600,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Print the milliseconds per clip, or with --video the agreement of the scores."""
    out = Console()
    if video is not None:
        path = PROJECT / "models/weights/slowfast_compact.safetensors"
        model = load_recognizer(path if network in ARCHITECTURES else Path(network))
        person_clips = list(real_clips(video, settings or [], clips))
        title = f"{len(person_clips)} clips"
        table = Table("backend", "same top-1 as float32", "largest score difference", title=title)
        for name, same, difference in agreement(model, person_clips):
            table.add_row(name, f"{same:.1%}", f"{difference:.4f}")
        out.print(table)
        return
    torch.manual_seed(0)
    build = ARCHITECTURES.get(network)
    model = build(400).eval() if build else load_recognizer(Path(network))
    spec = model.input_spec
    methods = build_methods(model)
    results: list[dict[str, Any]] = []
    for batch in map(int, batches.split(",")):
        shape = (batch, spec.clip_len, spec.crop_size, spec.crop_size, 3)
        crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        seconds = measure(methods, crops, rounds)
        columns = ("method", "ms per clip", "range", "against eager", "time / bare")
        table = Table(*columns, title=f"batch {batch}")
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        for name, values in seconds.items():
            table.add_row(
                name,
                f"{1e3 * medians[name]:.1f}",
                f"{1e3 * min(values):.1f} - {1e3 * max(values):.1f}",
                f"{medians[EAGER] / medians[name]:.2f} times faster",
                f"{medians[name] / medians[BARE]:.2f}",
            )
            results.append({"batch": batch, "method": name, "ms_per_clip": 1e3 * medians[name]})
        out.print(table)
    if json_file is not None:
        document = {"network": spec.name, "rounds": rounds, "results": results}
        json_file.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    typer.run(main)
