"""The section `bridges.notify`: who gets messages about events, in which words, and how often."""

from __future__ import annotations

from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    model_validator,
)

from pipeline.bridges.message_text import check_template
from pipeline.config.loading import Section, UserPath
from pipeline.event_filter import parse_filter
from pipeline.events import Severity


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name!r}; it is like Europe/Berlin, or UTC") from None
    return name


def _readable(conditions: tuple[str, ...]) -> tuple[str, ...]:
    parse_filter(conditions)
    return conditions


TargetName = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Template = Annotated[str, StringConstraints(max_length=2000), AfterValidator(check_template)]
Conditions = Annotated[tuple[str, ...], AfterValidator(_readable)]


class QuietConfig(Section):
    """When a target is not disturbed; what was held back is reported afterwards."""

    begin: TimeOfDay = Field(description="time of day, e.g. 22:00")
    end: TimeOfDay = Field(description="the first minute that is not quiet; may be of the next day")
    zone: ZoneName = Field(description="time zone of both, e.g. Europe/Berlin")
    except_severity: tuple[Severity, ...] = Field(
        ("critical",), description="alarms of these severities are sent all the same"
    )

    @model_validator(mode="after")
    def _lasts(self) -> QuietConfig:
        if self.begin == self.end:
            raise ValueError("begin and end are the same time")
        return self

    def times(self) -> tuple[time, time]:
        """Return both times of day."""
        return time.fromisoformat(self.begin), time.fromisoformat(self.end)


class NotifyTargetConfig(Section):
    """One receiver of messages."""

    url: SecretStr | None = Field(
        None,
        description="apprise URL of the service, e.g. ntfys://ntfy.sh/TOPIC, tgram://TOKEN/CHAT, "
        "mailtos://USER:PASSWORD@HOST?to=ADDRESS; better ${NAME} or url_file",
    )
    url_file: UserPath | None = Field(
        None, description="file with the URL, relative to the current directory"
    )
    filter: Conditions = Field(
        ("kind=alarm", "phase=start"), description="which events, as subscribe --filter"
    )
    title: Template = Field(
        "{what} at {camera}",
        description="{what}, {phase}, {camera}, {zone}, {severity}, {score}, {people}, {time}, "
        "{reason}, {event_id}",
    )
    text: Template = Field("{reason}\n{time}", description="the same fields; lines end in \\n")
    zone: ZoneName | None = Field(
        None, description="time zone of {time}; null: that of this machine"
    )
    quiet: QuietConfig | None = Field(
        None, description="e.g. {begin: 22:00, end: 07:00, zone: Europe/Berlin}; null: never"
    )
    max_messages: PositiveInt = Field(
        10,
        description="messages within window_s at most; what is more is counted in the next one",
        json_schema_extra={"unit": "messages"},
    )
    window_s: PositiveFloat = Field(600.0, description="for max_messages")
    max_age_s: PositiveFloat | None = Field(
        3600.0,
        description="an event that is older, or was not taken for so long, is only counted; null: "
        "none",
    )
    timeout_s: PositiveFloat = Field(
        15.0,
        description="longest wait for a connection, and for each part of an answer; five times it "
        "for all",
    )

    @model_validator(mode="after")
    def _one_url(self) -> NotifyTargetConfig:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs either url or url_file")
        return self


class NotifyConfig(Section):
    """Messages to people, by the services that apprise knows."""

    targets: dict[TargetName, NotifyTargetConfig] = Field(
        {},
        description="receivers by name, e.g. {phone: {url_file: phone.url}}; each has url or "
        "url_file, filter, title, text, zone, quiet, max_messages, window_s, max_age_s, timeout_s",
    )
