"""The configuration of the bridges; `configs/default.yaml` has each key with its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, field_serializer, model_validator

from pipeline.bridges.mqtt_topic import check_topic
from pipeline.config.section import Section
from pipeline.event_filter import parse_filter


def _readable(conditions: tuple[str, ...]) -> tuple[str, ...]:
    parse_filter(conditions)
    return conditions


Conditions = Annotated[tuple[str, ...], AfterValidator(_readable)]


class WebhookConfig(Section):
    """Events to a URL; off without one."""

    url: str | None
    secret_file: Path | None
    filter: Conditions
    timeout_s: PositiveFloat

    @model_validator(mode="after")
    def _known_scheme(self) -> WebhookConfig:
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("url must start with http:// or https://")
        return self

    @field_serializer("url", when_used="json")
    def _only_whether(self, url: str | None) -> str | None:
        """The configuration is logged; in many services the path of the URL is the password."""
        return None if url is None else f"{url.partition('://')[0]}://***"


class MqttConfig(Section):
    """Events to an MQTT broker; off without one."""

    host: str | None = Field(pattern=r"^[^/@\s]+$")
    port: int = Field(ge=1, le=65535)
    tls: bool
    username: str | None
    password_file: Path | None
    topic: Annotated[str, AfterValidator(check_topic)]
    filter: Conditions
    timeout_s: PositiveFloat

    @model_validator(mode="after")
    def _a_password_has_a_user(self) -> MqttConfig:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


class BridgesConfig(Section):
    """Subscribers that hand events on; each runs by itself, `run_pipeline.py bridge NAME`."""

    webhook: WebhookConfig
    mqtt: MqttConfig
