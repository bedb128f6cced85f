"""The errors a user can do something about; anything else that is raised is a bug."""


class PipelineError(Exception):
    """What went wrong, with which file, camera or key, and what to do about it."""


class ConfigError(PipelineError):
    """A configuration that cannot work; the message names the key."""


class SourceError(PipelineError):
    """A camera or video file that cannot be read; the message names it."""


class EventStoreError(PipelineError):
    """Redis cannot be started or reached; the message says which one and what to do."""


class OutboxError(PipelineError):
    """The events on local disk cannot be written or read; the message names the file."""
