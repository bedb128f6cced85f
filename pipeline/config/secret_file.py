"""Secrets as Docker and systemd hand them over: alone in a file, which no log and no `ps` shows."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError


def read_secret(path: Path, key: str) -> str:
    """The text in the file, without the line end that editors and `echo` put behind it.

    Args:
        path: relative to the current directory.
        key: of the configuration, for the message.

    Raises:
        ConfigError: naming key and path, if the file cannot be read, is empty or no text.
    """
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path} ({error.strerror})") from error
    except UnicodeDecodeError:  # not chained: it quotes what it read
        raise ConfigError(f"{key}: {path} is no UTF-8 text") from None
    if not secret:
        raise ConfigError(f"{key}: {path} is empty, expected a secret")
    return secret
