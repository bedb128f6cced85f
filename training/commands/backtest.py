"""The command `backtest`: what other thresholds and rules would have reported."""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.commands.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    ConfigFile,
    Settings,
    at_home,
    console,
    explained_errors,
    load,
    parse_time,
)
from pipeline.errors import ConfigError, SourceError
from pipeline.paths import expand_user
from pipeline.printable import printable

# The rest is imported when a back-test begins, so that --help needs none of it.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.backtest.occurrences import Occurrence
    from pipeline.backtest.run import SeenTime
    from pipeline.config.schema import PipelineConfig
    from pipeline.observations.reader import ObservationReader, RecordedObservations
    from pipeline.outputs.sinks import JsonLinesSink
    from training.labels.intervals import LabelledIntervals

PIPED_WIDTH = 160  # columns of the tables where there is no terminal

log = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode="markdown")


@dataclass(slots=True)
class _Found:
    """What a back-test has found so far; after Ctrl-C, that is all."""

    seen: dict[tuple[str, str], SeenTime] = field(default_factory=dict)
    ours: list[Occurrence] = field(default_factory=list)
    others: list[Occurrence] = field(default_factory=list)  # of --against
    interrupted: bool = False


@app.command(
    epilog="""
**Examples**

`behaviour-stream backtest output/observations --config rules.yaml`

`behaviour-stream backtest output/observations --config stricter.yaml --against rules.yaml`

`behaviour-stream backtest output/observations --set decision.start_threshold=0.8 --camera 'gate*'`

`behaviour-stream backtest output/observations --from 2026-11-20 --to 2026-11-27T06:00`

`behaviour-stream backtest output/observations --config rules.yaml --labels intervals.csv`

`behaviour-stream backtest 'gate_2026-11-2*.parquet' --output events.jsonl`
"""
)
def backtest(
    observations: Annotated[
        list[str],
        typer.Argument(
            metavar="OBSERVATIONS...", help="Files, folders or globs that observations.keep wrote."
        ),
    ],
    config_file: ConfigFile = None,
    settings: Settings = None,
    against: Annotated[
        Path | None,
        typer.Option(
            callback=at_home,
            metavar="FILE.yaml",
            help="Another configuration: print what --config adds to it and removes from it.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            callback=at_home,
            metavar="FILE.csv",
            help="camera,label,start,end of what is true: recall, precision, false alarms.",
        ),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=NAME", help="The rule or action that a label stands for."),
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Only these cameras; shell patterns.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="ISO8601", help="Frames from this time on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="ISO8601", help="Frames before this time.")
    ] = (None),
    run: Annotated[list[str] | None, typer.Option(help="Only these runs.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            callback=at_home, metavar="FILE.jsonl", help="Write the events as JSON lines."
        ),
    ] = None,
    wall_clock: Annotated[
        bool | None,
        typer.Option(
            "--wall-clock/--no-wall-clock", help="Events with times of day; default: as in the run."
        ),
    ] = None,
    utc: Annotated[
        bool, typer.Option("--utc", help="Times of day in UTC instead of local time.")
    ] = False,
) -> None:
    """Try thresholds and rules on kept observations: what would have been reported?

    Decisions and rules are those of `live` and `replay`; no model is loaded and nothing is
    published. --set changes the configuration of --config, not that of --against.
    """
    with explained_errors("backtest"):
        from pipeline.observations.reader import ObservationReader, ObservationSelection, find_files

        configs = [load(config_file, settings, None, "none")]
        if against is not None:
            configs.append(load(against, None, None, "none"))
        aliases = _aliases(alias or [])
        intervals = None if labels is None else _read_labels(labels)
        selection = ObservationSelection(
            cameras=tuple(camera or ()),
            start_at=None if start is None else parse_time("--from", start),
            end_at=None if end is None else parse_time("--to", end),
            runs=tuple(run or ()),
        )
        reader = ObservationReader(
            find_files([expand_user(one) for one in observations]), selection
        )
        if not reader.recordings:
            raise SourceError("no observations are of these cameras, times and runs")
        _warn_of_overlaps(reader.recordings)
        _warn_of_idle_rules(reader.recordings, configs)
        found = _run(reader, configs, output, wall_clock=wall_clock)
        _warn_of_unknown_times(reader.recordings, configs, found)
        out = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
        _print(found, configs, out, utc=utc)
        if intervals is not None:
            _print_judgement(found, configs, intervals, aliases, out)
        if found.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        if reader.errors:
            raise typer.Exit(EXIT_FAILED)


def _run(
    reader: ObservationReader,
    configs: Sequence[PipelineConfig],
    output: Path | None,
    *,
    wall_clock: bool | None,
) -> _Found:
    from pipeline.outputs.sinks import JsonLinesSink
    from training.console import ProgressPrinter

    found, began = _Found(), time.monotonic()
    with ExitStack() as stack:
        sink = None if output is None else stack.enter_context(JsonLinesSink(output))
        progress = stack.enter_context(ProgressPrinter(console, quiet_start=True))
        total, done = reader.size, 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            progress.show("kilobytes of observations", done // 1000, total // 1000)

        reader.done = advance
        try:
            for recording in reader.recordings:
                clock = recording.run.wall_clock if wall_clock is None else wall_clock
                _run_one(reader, recording, configs, found, sink, wall_clock=clock)
        except KeyboardInterrupt:
            found.interrupted = True
            console.print("stopped: what follows is of the observations until here")
    frames = sum(each.frames for each in found.seen.values())
    hours = sum(each.seconds for each in found.seen.values()) / 3600
    console.print(
        f"{len(reader.recordings)} runs, {len({camera for _, camera in found.seen})} cameras, "
        f"{hours:.2f} camera hours, {frames} frames in {time.monotonic() - began:.1f} s",
        highlight=False,
    )
    return found


def _run_one(
    reader: ObservationReader,
    recording: RecordedObservations,
    configs: Sequence[PipelineConfig],
    found: _Found,
    sink: JsonLinesSink | None,
    *,
    wall_clock: bool,
) -> None:
    from pipeline.backtest.occurrences import OccurrenceCollector
    from pipeline.backtest.run import back_test

    name, seen = recording.run.recording, dict[str, "SeenTime"]()
    collectors = [OccurrenceCollector(name) for _ in configs]
    try:
        for items in back_test(reader, recording, configs, wall_clock=wall_clock, seen=seen):
            for collector, item in zip(collectors, items, strict=True):
                collector.add(item.events)
            if sink is not None:
                sink.write(items[0])
    finally:
        found.seen.update({(name, camera): each for camera, each in seen.items()})
        for collector, target in zip(collectors, (found.ours, found.others), strict=False):
            target += collector.occurrences


def _print(found: _Found, configs: Sequence[PipelineConfig], out: Console, *, utc: bool) -> None:
    from pipeline.backtest.comparison import compare
    from training.report.backtest import print_comparison, print_occurrences

    zone = UTC if utc else None
    if len(configs) > 1:
        print_comparison(out, compare(found.others, found.ours), zone)
    else:
        print_occurrences(out, found.ours, zone)


def _print_judgement(
    found: _Found,
    configs: Sequence[PipelineConfig],
    intervals: LabelledIntervals,
    aliases: dict[str, str],
    out: Console,
) -> None:
    from training.evaluation.backtest_scores import judge
    from training.report.backtest import print_judgement

    titles = ("Judged by the labels", "The other configuration")
    for title, config, mine in zip(titles, configs, (found.ours, found.others), strict=False):
        background = config.decision.background
        judgement = judge(mine, found.seen, intervals, aliases=aliases, background=background)
        print_judgement(out, judgement, title)


def _read_labels(path: Path) -> LabelledIntervals:
    from training.labels.intervals import read_intervals

    return read_intervals(path)


def _warn_of_overlaps(recordings: Sequence[RecordedObservations]) -> None:
    """Report that hours of a camera are there twice, as after two replays of one video."""
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for recording in recordings:
        for camera in recording.cameras:
            for hour in camera.hours:
                runs[camera.camera_id, hour].append(recording.run.recording)
    twice = {key: names for key, names in runs.items() if len(names) > 1}
    if twice:
        (camera_id, hour), names = min(twice.items())
        log.warning(
            "%s: the hour %s is there from %d runs, and all of them count; --run %s chooses one",
            printable(camera_id),
            hour,
            len(names),
            names[-1],
        )


def _warn_of_idle_rules(
    recordings: Sequence[RecordedObservations], configs: Sequence[PipelineConfig]
) -> None:
    """Report the rules that have nothing to alarm about: no alarm of them means nothing."""
    from pipeline.commands.camera_list import idle_rules

    cameras = sorted({camera.camera_id for each in recordings for camera in each.cameras})
    for text in dict.fromkeys(text for one in configs for text in idle_rules(one, cameras)):
        log.warning("%s", printable(text))


def _warn_of_unknown_times(
    recordings: Sequence[RecordedObservations], configs: Sequence[PipelineConfig], found: _Found
) -> None:
    """Report the cameras for which no schedule holds, if a rule has one."""
    if not any(rule.schedule for config in configs for rule in config.rules.values()):
        return
    replays = {each.run.recording for each in recordings if not each.run.live}
    for (recording, camera_id), seen in found.seen.items():
        if recording in replays and seen.first is not None and seen.first.recorded_at is None:
            log.warning(
                "%s: it is not known when this was recorded, so no schedule holds in it and rules "
                "with a schedule raise no alarm; replay it with --start-time",
                printable(camera_id),
            )


def _aliases(texts: Sequence[str]) -> dict[str, str]:
    aliases = {}
    for text in texts:
        label, _, name = text.partition("=")
        if not (label and name):
            raise ConfigError(f"--alias {text}: expected LABEL=NAME, e.g. brawl=fight")
        aliases[label] = name
    return aliases
