"""Options that several commands have, and the configuration that comes of them."""

from __future__ import annotations

import json
import logging
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

PROJECT = Path(__file__).resolve().parents[2]

log = logging.getLogger("behaviour-stream")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with what differs from the defaults.")
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
        help="A server, one of our own under the output directory (default), or none.",
    ),
]
OutputDir = Annotated[
    Path | None, typer.Option("--output", help="Directory for everything that is written.")
]


def load(
    config_file: Path | None, settings: list[str] | None, output: Path | None, redis: str | None
) -> Any:
    """The configuration with the command's own options put in place, logged without credentials."""
    from pipeline.config.schema import load_config

    own = {"output": None if output is None else str(output), "redis.url": redis}
    options = [f"{key}={json.dumps(value)}" for key, value in own.items() if value is not None]
    config = load_config(config_file, [*(settings or ()), *options])
    log.info("configuration: %s", config.loggable_json())
    return config


def new_run_id() -> str:
    """Sorts by time, differs between two runs of the same second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
