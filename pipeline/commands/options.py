"""What commands have in common: options, the configuration they give, and how errors end them."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pipeline import __version__
from pipeline.errors import ConfigError, PipelineError
from pipeline.paths import expand_user
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.config.schema import PipelineConfig

EXIT_FAILED = 1  # the run ended, but something in it failed
EXIT_USAGE = 2  # nothing was run: wrong arguments, configuration or environment
EXIT_INTERRUPTED = 130

# Which extra of the distribution brings a module; what is in none of these is in the command's own.
EXTRA_OF_MODULE = {
    "ultralytics": "yolo",
    "lap": "yolo",
    "deep_sort_realtime": "deepsort",
    "polars": "backtest",
    "xlsxwriter": "table",
    "lightning_fabric": "train",
    "matplotlib": "evaluate",
    "jinja2": "evaluate",
    "trackeval": "evaluate",
    "pycocotools": "evaluate",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "requests": "bridges",
    "paho": "bridges",
    "apprise": "bridges",
}
OWN_PACKAGES = ("models", "pipeline", "training")
HINT_OF_EXTRA = {
    "yolo": " (ultralytics is AGPL-3.0; without it run with "
    "`--set detector.weights=builtin --set tracker.name=deepsort`)"
}

log = logging.getLogger("behaviour-stream")
console = Console(stderr=True)


def at_home(path: Path | list[Path] | None) -> Path | list[Path] | None:
    """Expand `~` in a path option; every option and argument that is a path has this callback.

    A shell leaves it in `--output=~/out` and in quotes; systemd and compose files expand none.
    """
    if isinstance(path, list):
        return [Path(expand_user(str(one))) for one in path]
    return None if path is None else Path(expand_user(str(path)))


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", callback=at_home, help="YAML file with what differs from the defaults."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One key, e.g. detector.confidence=0.5."),
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL|embedded|none",
        help="A server, a private one under the output directory (default), or none.",
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option("--output", callback=at_home, help="Directory of everything that is written."),
]


def load(
    config_file: Path | None, settings: list[str] | None, output: Path | None, redis: str | None
) -> PipelineConfig:
    """Load the configuration with the command's own options applied, and log it for debugging.

    Neither credentials nor values of environment variables are logged.

    Args:
        config_file: of --config; a file that ships, such as configs/alarms.yaml, is found.
        settings: of --set.
        output: of --output.
        redis: of --redis.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    from pipeline.config.schema import load_config
    from pipeline.config.shipped_files import find_file

    own = {"output": None if output is None else str(output), "redis.url": redis}
    options = [f"{key}={json.dumps(value)}" for key, value in own.items() if value is not None]
    file = None if config_file is None else find_file(config_file)
    config = load_config(file, [*(settings or ()), *options])
    log.debug("configuration: %s", config.loggable_json())
    return config


def needed_server(config: PipelineConfig, why: str) -> AbstractContextManager[str]:
    """Return a context that yields the URL of the configured server, for a command that needs one.

    Args:
        config: its `redis` section names the server; `embedded` starts or joins the embedded one.
        why: printed if it names none.

    Raises:
        typer.BadParameter: if the configuration names no server.
    """
    from pipeline.redis_store.embedded_redis import running_server

    if config.redis.url == "none":
        raise typer.BadParameter(why, param_hint="--redis")
    return running_server(config.redis.url, config.output / "redis")


class PrintableFormatter(logging.Formatter):
    """Escape control characters in messages, so that no name from outside moves the cursor.

    A traceback stays as it is.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the base class
        """Return the line of a record."""
        return "\n".join(printable(line) for line in super().formatMessage(record).split("\n"))


def parse_time(option: str, text: str) -> float:
    """Return the Unix seconds of an ISO 8601 time; without an offset it is local time.

    Args:
        option: whose value it is, for the message.
        text: what was given.

    Raises:
        ConfigError: if it is none.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option} {text}: expected a time like 2026-11-25T10:00:00+01:00"
        ) from None


def print_version(is_given: bool) -> None:
    """End the command with the version if the option --version is given."""
    if is_given:
        print(f"behaviour-stream {__version__}")
        raise typer.Exit


def new_run_id() -> str:
    """Return an id that sorts by time and differs between two runs of the same second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@contextmanager
def explained_errors(extra: str = "pipeline") -> Iterator[None]:
    """End the command with one message and an exit code where the user can do something about it.

    Anything else stays a traceback.

    Args:
        extra: of the distribution, which brings what the command imports.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except PipelineError as error:
        _print_error(str(error))
        raise typer.Exit(EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED) from error
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not module or module in OWN_PACKAGES:
            raise
        _print_error(missing_package(module, extra))
        raise typer.Exit(EXIT_USAGE) from error


def missing_package(module: str, extra: str) -> str:
    """Return what to install for a module that is not there.

    Args:
        module: top level name.
        extra: that the command needs.
    """
    name = EXTRA_OF_MODULE.get(module, extra)
    return (
        f"this needs the package {module}, which is not installed: "
        f"pip install 'behaviour-stream[{name}]'{HINT_OF_EXTRA.get(name, '')}"
    )


def _print_error(text: str) -> None:
    shown = "\n".join(printable(line) for line in text.split("\n"))
    console.print(f"[red]error:[/red] {escape(shown)}", highlight=False, soft_wrap=True)
