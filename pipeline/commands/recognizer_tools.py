"""Convert and describe recognizers, for the commands of these names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.checkpoints.checkpoint import CheckpointError, save_recognizer
from models.public.names import looks_public
from models.slowfast.complexity import CONVENTION, measure_complexity
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.training_record import TrainingRecord
from models.slowfast.zoo import ARCHITECTURES
from pipeline.components import untrained_recognizer
from pipeline.config.loading import parse_value
from pipeline.config.network import load_model_config
from pipeline.config.shipped_files import PROJECT, find_file
from pipeline.errors import ConfigError
from pipeline.recognizer_weights import load_named_recognizer


def convert(
    source: Path,
    target: Path,
    *,
    labels: Path | None,
    settings: Sequence[str],
    half: bool,
    state_dict: str | None = None,
) -> Recognizer3D:
    """Read a checkpoint of any supported library and write it in the format of this program.

    Args:
        source: of mmaction2, PySlowFast, pytorchvideo or ours.
        target: ends in .safetensors; an existing file is replaced in one step.
        labels: file that names the classes, or the name of a shipped list.
        settings: `field=value` of the input spec, where the checkpoint does not know better.
        half: store float16.
        state_dict: key of the weights in a checkpoint that holds several; None: the usual one.

    Raises:
        ConfigError: if the source cannot be read, the target not written, or a field is wrong.
    """
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target}: the result is a .safetensors file, name it so")
    model = _load(source, state_dict, None if labels is None else str(labels))
    try:
        model = _with_spec(model, replace(model.input_spec, **_spec_fields(settings)))
        save_recognizer(target, model, half=half)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror})") from error
    return model


def describe(name: str, height_width: tuple[int, int] | None, *, as_json: bool) -> None:
    """Print parameters, multiply-adds and input of a network on standard output.

    Args:
        name: a checkpoint, a file of configs/recognizer, or the name of an architecture.
        height_width: of the clip, pixels; None: what the network was made for.
        as_json: for another program.

    Raises:
        ConfigError: if there is no such network.
    """
    model = _find(name)
    decision, record = model.default_decision, model.training_record
    stages = measure_complexity(model, height_width)
    height, width = height_width or (model.input_spec.crop_size,) * 2
    if as_json:
        document = {
            "architecture": asdict(model.architecture),
            "input_spec": asdict(model.input_spec),
            "trained_on": None if record is None else asdict(record),
            "decision": None if decision is None else asdict(decision),
            "convention": CONVENTION,
            "height_width": [height, width],
            "stages": [asdict(stage) for stage in stages],
            "parameters": sum(stage.parameters for stage in stages),
            "multiply_adds": sum(stage.multiply_adds for stage in stages),
        }
        print(json.dumps(document))
        return
    spec = model.input_spec
    table = Table(title=f"{spec.name}, {spec.clip_len} x {height} x {width}, per clip")
    for heading in ("stage", "parameters", "G multiply-adds"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage in stages:
        table.add_row(stage.stage, f"{stage.parameters:,}", f"{stage.multiply_adds / 1e9:.3f}")
    total = sum(stage.multiply_adds for stage in stages) / 1e9
    table.add_section()
    table.add_row("all", f"{sum(s.parameters for s in stages):,}", f"{total:.3f}")
    out = Console(soft_wrap=True)
    out.print(table)
    out.print(f"Convention: {CONVENTION}", highlight=False)
    for field, value in asdict(spec).items():
        out.print(f"  {field}: {_short(value)}", highlight=False, markup=False)
    for line in (_record_line(record), *_decision_lines(decision)):
        out.print(line, highlight=False, markup=False)


def _record_line(record: TrainingRecord | None) -> str:
    if record is None:
        return "What it was trained on is not recorded in the file"
    more = "" if record.complete else ", and on what the weights it began from do not record"
    return (
        f"Trained on {len(record.trained_on)} videos, epoch chosen by {len(record.chosen_on)}{more}"
    )


def _decision_lines(decision: DefaultDecision | None) -> list[str]:
    """Describe thresholds and temperatures of the weights, a line per label."""
    if decision is None:
        return ["No thresholds in the weights: decision.start_threshold, or 0.6"]
    lines = [f"Thresholds in the weights, chosen {decision.chosen_at or 'at an unknown time'}"]
    for label, one in decision.labels.items():
        start = "no threshold"
        if one.start_threshold is not None:
            start = f"start {one.start_threshold:g}, end {one.end_threshold:g}"
        why = f" ({one.chosen_for})" if one.chosen_for else ""
        lines.append(f"  {label}: {start}, temperature {one.temperature:g}{why}")
    return lines


def _short(value: Any) -> str:
    if isinstance(value, tuple) and len(value) > 12:
        return f"{', '.join(map(str, value[:8]))}, ... ({len(value)})"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _find(name: str) -> Recognizer3D:
    if name in ARCHITECTURES:
        return ARCHITECTURES[name](400)
    path = find_file(name)
    if path.suffix in (".yaml", ".yml"):
        return _from_config(path)
    if not (path.exists() or looks_public(name)):
        raise ConfigError(
            f"{name}: neither a file nor an architecture; there are {', '.join(ARCHITECTURES)}"
        )
    return _load(name)


def _from_config(path: Path) -> Recognizer3D:
    config = load_model_config(path)
    try:
        return untrained_recognizer(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _load(
    weights: str | Path, state_dict: str | None = None, labels: str | None = None
) -> Recognizer3D:
    try:
        return load_named_recognizer(str(weights), PROJECT, state_dict=state_dict, labels=labels)
    except CheckpointError as error:
        raise ConfigError(str(error)) from error


def _with_spec(model: Recognizer3D, spec: InputSpec) -> Recognizer3D:
    """The same weights for another input; alpha is a stride inside the network too."""
    changed = Recognizer3D(replace(model.architecture, alpha=spec.alpha), spec)
    changed.load_state_dict(model.state_dict())
    changed.training_record, decision = model.training_record, model.default_decision
    if decision is not None:
        names = dict(zip(model.input_spec.labels, spec.labels, strict=True))
        changed.default_decision = decision.renamed(names)
    return changed.eval()


def _spec_fields(settings: Sequence[str]) -> dict[str, Any]:
    known = {field.name for field in fields(InputSpec)} - {"labels"}
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
            raise ConfigError(
                f"--set {setting}: expected FIELD=VALUE with a field of {', '.join(sorted(known))}"
            )
        value = parse_value(text)
        values[name] = tuple(value) if isinstance(value, list) else value
    return values
