"""What a clip costs, by everything that can compute it, and whether the answers agree.

    python -m benchmarks.recognizer [--network slowfast_r50_4x16] [--batches 1,4,16] [--rounds 3]
    python -m benchmarks.recognizer --video demo/pedestrians.mp4   # agreement on real clips instead

Same weights, same clips, all ways in turn within each round: plain eager PyTorch in float32 on
contiguous memory, pytorchvideo's own network where it is installed (it is in no requirements file;
8x8 only, so compare it with --network slowfast_r50_8x8), our two backends through their public
call from uint8 crops to scores, and OpenVINO bare: a compiled network from ready tensors to logits.
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
from pipeline.types import ClippedFrame, Frame

EAGER, BARE = "plain eager float32", "bare OpenVINO"

BACKENDS: tuple[Backend, ...] = ("torch", "openvino")

Way = Callable[[NDArray[np.uint8]], object]


class Pathways(nn.Module):
    """From ready tensors to logits."""

    def __init__(self, model: Recognizer3D) -> None:
        super().__init__()
        self.model = model

    def forward(self, *pathways: Tensor) -> Tensor:
        """The network and nothing around it."""
        return self.model.forward_pathways(*pathways)


def ways(model: Recognizer3D) -> dict[str, Way]:
    """Everything that can score a batch of crops, by name."""
    spec = model.input_spec
    transform = ClipTransform(spec)
    ours = [ActionRecognizer(model, device="cpu", backend=backend) for backend in BACKENDS]
    found: dict[str, Way] = {EAGER: lambda crops: eager(model, transform, crops)}
    if importlib.util.find_spec("pytorchvideo") and spec.alpha == 4 and spec.clip_len == 32:
        theirs = pytorchvideo_network(len(spec.labels))
        found["pytorchvideo"] = lambda crops: theirs(list(pathways(model, transform, crops)))
    for recognizer in ours:
        found[f"ours, {recognizer.describe().partition(' on ')[2]}"] = recognizer_way(recognizer)
    found[BARE] = bare_openvino(model, transform)
    if torch.cuda.is_available():
        on_gpu = ActionRecognizer(model, device="cuda:0", batch_size=16)
        found[f"ours, {on_gpu.describe().partition(' on ')[2]}"] = recognizer_way(on_gpu)
    return found


def recognizer_way(recognizer: ActionRecognizer) -> Way:
    """The public call."""
    return lambda crops: recognizer.predict(list(crops))


def pathways(model: Recognizer3D, transform: ClipTransform, crops: Any) -> tuple[Tensor, ...]:
    """Contiguous, as who does not think of memory formats has them."""
    clip = transform(torch.from_numpy(crops)).contiguous()
    return tuple(x.contiguous() for x in model.select_pathways(clip))


def eager(model: Recognizer3D, transform: ClipTransform, crops: Any) -> Tensor:
    """The reference structure as it stands in the paper's code: nothing folded."""
    return model.cls_head.scores(model.forward_pathways(*pathways(model, transform, crops)))


def pytorchvideo_network(num_classes: int) -> nn.Module:
    """Its SlowFast R50 8x8 with random weights; the time does not depend on them."""
    from pytorchvideo.models.slowfast import create_slowfast

    network: nn.Module = create_slowfast(model_num_class=num_classes)
    return network.eval()


def bare_openvino(model: Recognizer3D, transform: ClipTransform) -> Way:
    """A compiled network called on tensors that are ready: the least that a clip can cost."""
    spec = model.input_spec
    prepared = prepare_for_inference(model, torch.device("cpu"), torch.float32)
    crops = np.zeros((1, spec.clip_len, spec.crop_size, spec.crop_size, 3), np.uint8)
    ready = pathways(model, transform, crops)
    network = OpenVinoNetwork(Pathways(prepared).eval(), ready, description="bare")
    arrays = [x.numpy() for x in ready]
    return lambda crops: [network(*arrays) for _ in crops]


def measure(found: dict[str, Way], crops: NDArray[np.uint8], rounds: int) -> dict[str, list[float]]:
    """Seconds per clip of every round; the first round, which warms up, is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    with torch.inference_mode():
        for index in range(rounds + 1):
            for name, way in found.items():
                started = time.perf_counter()
                way(crops)
                if index:
                    seconds[name].append((time.perf_counter() - started) / len(crops))
    return seconds


def real_clips(video: Path, settings: list[str], limit: int) -> Iterator[NDArray[np.uint8]]:
    """Person clips as the pipeline cuts them, a tenth of a second apart."""
    config = load_config(None, settings)
    components = build_components(config, PROJECT)

    def frames() -> Iterator[list[Frame]]:
        with closing(VideoReader(video)) as reader:
            for index, picture in enumerate(reader.frames()):
                yield [Frame(video.stem, index, picture.pts_s, 0.0, picture.image, 0.0)]

    detected = detect_people(frames(), components.detector, time.time)
    tracked = track_people(detected, components.new_tracker, time.time)
    items = cut_clips(tracked, components.clip_spec, time.time, stride_s=0.1)
    clips = (clip.crops for item in items if isinstance(item, ClippedFrame) for clip in item.clips)
    return islice(clips, limit)


def agreement(
    model: Recognizer3D, clips: list[NDArray[np.uint8]]
) -> list[tuple[str, float, float]]:
    """Share of equal top-1 answers and largest difference of a score, against plain float32."""
    transform = ClipTransform(model.input_spec)
    with torch.inference_mode():
        expected = np.concatenate([eager(model, transform, clip[None]).numpy() for clip in clips])
    rows = []
    for backend in BACKENDS:
        recognizer = ActionRecognizer(model, device="cpu", backend=backend)
        scores = recognizer.predict(clips)
        same = float((scores.argmax(axis=1) == expected.argmax(axis=1)).mean())
        rows.append((recognizer.describe(), same, float(np.abs(scores - expected).max())))
    return rows


def main(
    network: Annotated[
        str, typer.Option(help="An architecture's name, or a checkpoint.")
    ] = "slowfast_r50_4x16",
    batches: Annotated[str, typer.Option(help="Clips at once, separated by commas.")] = "1,4,16",
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    video: Annotated[
        Path | None, typer.Option(help="Compare the answers on its people's clips instead.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Of the video, at most.")] = 600,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As in replay.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers.")] = None,
) -> None:
    """Print a table of milliseconds per clip, or of agreement."""
    out = Console()
    if video is not None:
        path = PROJECT / "models/weights/slowfast_compact.safetensors"
        model = load_recognizer(path if network in ARCHITECTURES else Path(network))
        chosen = list(real_clips(video, settings or [], clips))
        table = Table(
            "backend", "top-1 as float32", "largest difference", title=f"{len(chosen)} clips"
        )
        for name, same, difference in agreement(model, chosen):
            table.add_row(name, f"{same:.1%}", f"{difference:.4f}")
        out.print(table)
        return
    torch.manual_seed(0)
    build = ARCHITECTURES.get(network)
    model = build(400).eval() if build else load_recognizer(Path(network))
    spec = model.input_spec
    found = ways(model)
    results: list[dict[str, Any]] = []
    for batch in map(int, batches.split(",")):
        shape = (batch, spec.clip_len, spec.crop_size, spec.crop_size, 3)
        crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        seconds = measure(found, crops, rounds)
        table = Table("way", "ms per clip", "spread", "x eager", "x bare", title=f"batch {batch}")
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        for name, values in seconds.items():
            table.add_row(
                name,
                f"{1e3 * medians[name]:.1f}",
                f"{1e3 * min(values):.1f} - {1e3 * max(values):.1f}",
                f"{medians[EAGER] / medians[name]:.2f} times faster",
                f"{medians[name] / medians[BARE]:.2f}",
            )
            results.append({"batch": batch, "way": name, "ms_per_clip": 1e3 * medians[name]})
        out.print(table)
    if json_file is not None:
        document = {"network": spec.name, "rounds": rounds, "results": results}
        json_file.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    typer.run(main)
