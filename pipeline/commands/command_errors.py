"""How a command ends when something is wrong: a message for the user and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.errors import ConfigError, PipelineError

EXIT_FAILED = 1  # the run ended, but something in it failed
EXIT_USAGE = 2  # nothing was run: wrong arguments, configuration or environment
EXIT_INTERRUPTED = 130

console = Console(stderr=True)


@contextmanager
def explained_errors() -> Iterator[None]:
    """An error the user can mend is one message and an exit code; anything else a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except PipelineError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED) from error
