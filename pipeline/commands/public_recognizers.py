"""The commands `recognizers list` and `recognizers fetch`: public checkpoints by name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import explained_errors

if TYPE_CHECKING:
    from models.public.entry import PublicCheckpoint

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Public checkpoints of mmaction2, PySlowFast and pytorchvideo that `recognizer.weights` "
    "takes by name.",
    epilog="""
**Examples**

`behaviour-stream recognizers list`

`behaviour-stream replay street.mp4 --set recognizer.weights=pytorchvideo/slowfast_r50`
""",
)


@app.command(
    name="list",
    epilog="""
**Examples**

`behaviour-stream recognizers list`

`behaviour-stream recognizers list --json | jq -r .url`  to fetch them on another machine
""",
)
def list_recognizers(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line.")] = False,
) -> None:
    """Print the names with size, accuracy, terms, labels, and whether the file is here."""
    from models.public.names import PUBLIC_CHECKPOINTS

    for checkpoint in PUBLIC_CHECKPOINTS.values():
        if as_json:
            file = checkpoint.file()
            document = asdict(checkpoint) | {"file": str(file), "is_here": file.is_file()}
            print(json.dumps(document))
        else:
            print(_text(checkpoint))


def _text(checkpoint: PublicCheckpoint) -> str:
    is_here = checkpoint.file().is_file()
    size = f"{checkpoint.least_mb} MB or more, {'fetched' if is_here else 'not fetched'}"
    lines = [
        f"{checkpoint.name}  ({size})",
        f"  {checkpoint.architecture}, recognizer.mode={checkpoint.mode}, "
        f"labels {checkpoint.labels} ({checkpoint.classes})",
        f"  {checkpoint.accuracy}",
        f"  terms: {checkpoint.licence}; {checkpoint.data}: {checkpoint.data_terms}",
        f"  verified: {checkpoint.verification}",
    ]
    return "\n".join(lines)


@app.command(
    epilog="""
**Examples**

`behaviour-stream recognizers fetch mmaction2/slowfast_r50_8x8_ava21`  before the cameras start
"""
)
def fetch(
    name: Annotated[str, typer.Argument(help="As `recognizers list` shows it.")],
) -> None:
    """Fetch a checkpoint into `~/.cache/behaviour-stream/recognizers`, and print its path.

    `live` and `replay` do the same at their first start with such a name. A download that was
    interrupted continues.
    """
    with explained_errors():
        from models.public.files import PublicFileError, fetch_public
        from models.public.names import find_public
        from pipeline.errors import ConfigError, PipelineError

        try:
            checkpoint = find_public(name)
        except KeyError as error:
            raise ConfigError(error.args[0]) from error
        try:
            print(fetch_public(checkpoint))
        except PublicFileError as error:
            raise PipelineError(str(error)) from error
