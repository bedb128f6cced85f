"""Errors that the user can act on; any other exception is a bug."""


class PipelineError(Exception):
    """Base class; the message names the file, camera or key and how to fix it."""


class ConfigError(PipelineError):
    """An invalid configuration; the message names the key."""


class SourceError(PipelineError):
    """A camera or video file that cannot be read; the message names it."""


class EventStoreError(PipelineError):
    """Redis cannot be started or reached; the message names the server and how to fix it."""


class OutboxError(PipelineError):
    """The events on local disk cannot be written or read now; the message names the file."""


class OutboxDamagedError(OutboxError):
    """The file with events on local disk is not what was written to it."""
