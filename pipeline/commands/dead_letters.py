"""The commands `dead-letters list`, `replay` and `drop`: events that failed too often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.event_text import format_event
from pipeline.commands.options import (
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    console,
    explained_errors,
    load,
    needed_server,
)
from pipeline.events import encode_event
from pipeline.printable import printable
from pipeline.time_text import format_utc

if TYPE_CHECKING:
    from pipeline.subscriber.dead_letters import DeadLetters, StoredLetter

_SHOWN = 20  # letters that `list` shows without --limit

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List, put back or drop the events that a bridge or a group failed to handle too often.",
    epilog="""
**Examples**

`behaviour-stream dead-letters list`  of all groups, the oldest first

`behaviour-stream dead-letters replay --bridge webhook`  when its receiver is right again
""",
)

Group = Annotated[
    str | None, typer.Option(help="Of this group alone, as of subscribe --group.", metavar="NAME")
]
OfBridge = Annotated[
    str | None,
    typer.Option(
        "--bridge",
        metavar="webhook|mqtt|notify-TARGET",
        help="Of this bridge alone (its group is bridge-NAME).",
    ),
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Which ones, as `list` shows them.")
]


@app.command(
    name="list",
    epilog="""
**Examples**

`behaviour-stream dead-letters list --bridge mqtt --limit 5`

`behaviour-stream dead-letters list --limit 100000 --json | jq -r .event.camera_id | sort | uniq -c`
""",
)
def list_letters(
    group: Group = None,
    bridge: OfBridge = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each group.")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line.")] = False,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Print dead letters: time, group, id, number of tries, event and reason."""
    with _opened(redis, config_file, settings, output) as letters:
        shown = 0
        for name in _groups(letters, group, bridge):
            for letter in letters.letters(name, limit):
                shown += 1
                print(_document(letter) if as_json else _line(letter), flush=True)
        if not shown:
            console.print("no dead letters")


@app.command(
    epilog="""
**Examples**

`behaviour-stream dead-letters replay --bridge webhook`  all of them

`behaviour-stream dead-letters replay --group alarms 1764086400000-0`  this one
"""
)
def replay(
    ids: Ids = None,
    group: Group = None,
    bridge: OfBridge = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The oldest so many.")] = None,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Put dead letters back on the stream: their group gets them again, and no other reader.

    They come after the events that are on the stream now, with all their tries.
    """
    name = _one_group(group, bridge)
    with _opened(redis, config_file, settings, output) as letters:
        done = [letter for letter in _chosen(letters, name, ids, limit) if letters.replay(letter)]
        console.print(f"{len(done)} dead letters of {printable(name)} are on the stream again")


@app.command(
    epilog="""
**Examples**

`behaviour-stream dead-letters drop --group alarms 1764086400000-0`  this one

`behaviour-stream dead-letters drop --bridge mqtt --all`
"""
)
def drop(
    ids: Ids = None,
    group: Group = None,
    bridge: OfBridge = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The oldest so many.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Without any ID: all of them.")] = False,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Delete dead letters for good."""
    name = _one_group(group, bridge)
    if not ids and limit is None and not everything:
        raise typer.BadParameter("name an ID, --limit or --all: there is no way back")
    with _opened(redis, config_file, settings, output) as letters:
        done = [letter for letter in _chosen(letters, name, ids, limit) if letters.drop(letter)]
        console.print(f"{len(done)} dead letters of {printable(name)} dropped")


@contextmanager
def _opened(
    redis: RedisUrl, config_file: ConfigFile, settings: Settings, output: OutputDir
) -> Iterator[DeadLetters]:
    from pipeline.subscriber.dead_letters import DeadLetters

    with explained_errors():
        config = load(config_file, settings, output, redis)
        with (
            needed_server(config, "dead letters are on a server") as url,
            DeadLetters(url, config.redis.stream) as letters,
        ):
            yield letters


def _groups(letters: DeadLetters, group: str | None, bridge: str | None) -> list[str]:
    if group is None and bridge is None:
        return letters.groups()
    return [_one_group(group, bridge)]


def _one_group(group: str | None, bridge: str | None) -> str:
    if (group is None) == (bridge is None):
        raise typer.BadParameter("name either --group or --bridge")
    return group if group is not None else f"bridge-{bridge}"


def _chosen(
    letters: DeadLetters, group: str, ids: list[str] | None, limit: int | None
) -> list[StoredLetter]:
    """Read them before any is put back: one that is refused again meanwhile is not chosen twice."""
    found = list(letters.letters(group, None if ids else limit))
    if not ids:
        return found
    if unknown := sorted(set(ids) - {letter.letter_id for letter in found}):
        texts = printable(", ".join(unknown), 200)
        raise typer.BadParameter(f"group {printable(group)} has no dead letter {texts}")
    return [letter for letter in found if letter.letter_id in ids]


def _line(letter: StoredLetter) -> str:
    from pipeline.subscriber.reports import BadEntry

    event = letter.event
    what = f"no event: {event.problem}" if isinstance(event, BadEntry) else format_event(event)
    start = f"{_time_of(letter)}  {letter.group}  {letter.letter_id}  {letter.tries} tries"
    why = "" if letter.reason is None else f"  ({letter.reason})"
    return printable(f"{start}  {what}{why}")


def _document(letter: StoredLetter) -> str:
    from pipeline.subscriber.reports import BadEntry

    event, problem = letter.event, None
    if isinstance(event, BadEntry):
        problem = event.problem
    fields = {
        "id": letter.letter_id,
        "group": letter.group,
        "time": _time_of(letter),
        "tries": letter.tries,
        "reason": letter.reason,
        "event": None if isinstance(event, BadEntry) else json.loads(encode_event(event)),
        "problem": problem,
    }
    return json.dumps(fields, separators=(",", ":"))


def _time_of(letter: StoredLetter) -> str:
    try:
        return format_utc(int(letter.letter_id.partition("-")[0]) / 1e3)
    except (ValueError, OverflowError, OSError):  # an id that another program chose
        return "-"
