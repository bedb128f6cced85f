"""Sections about where events go: the Redis stream, and the bridges to other services."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    field_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.bridges.mqtt_topic import check_topic
from pipeline.config.loading import Section, UserPath
from pipeline.config.notify import Conditions, NotifyConfig
from pipeline.redaction import mask_url
from pipeline.redis_store.url import SCHEMES, parse_redis_url


class RedisConfig(Section):
    """The Redis server and stream that events are published to."""

    url: str = Field(
        "embedded",
        repr=False,
        description="redis://..., rediss://..., unix://..., redis+sentinel://..., "
        "redis+cluster://... (docs/subscribe.md), embedded (a private server under the output "
        "directory), none",
    )
    # Braces would change which part of the name a cluster hashes.
    stream: str = Field(
        "behaviour:events", min_length=1, pattern=r"^[^{}]*$", description="name of the stream"
    )
    maxlen: PositiveInt = Field(
        100000,
        description="entries kept on the stream, approximately",
        json_schema_extra={"unit": "entries"},
    )
    max_age_s: PositiveFloat | None = Field(
        None, description="instead of maxlen: keep the entries of the last so many seconds"
    )
    counts_stream: str | None = Field(
        "behaviour:counts",
        min_length=1,
        pattern=r"^[^{}]*$",
        description="name of the stream that gets a row per minute and zone: people, entered, "
        "left, dwell; null: none",
    )
    counts_maxlen: PositiveInt = Field(
        200000,
        description="rows kept on it, approximately; ten zones make 14400 a day",
        json_schema_extra={"unit": "rows"},
    )
    wait_s: NonNegativeFloat = Field(
        10.0,
        description="longest wait for an unreachable server, at the start and at the end of a "
        "replay",
    )
    outbox_max_mb: PositiveInt = Field(
        1024,
        description="disk space for events while the server is unreachable; beyond it the oldest "
        "update events are dropped first",
    )

    @field_serializer("url", when_used="json")
    def _without_credentials(self, url: str) -> str:
        return mask_url(url)  # the configuration is logged

    @model_validator(mode="after")
    def _known_url(self) -> RedisConfig:
        if self.url in ("embedded", "none"):
            return self
        if not self.url.startswith(SCHEMES):
            raise ValueError(f"url must be embedded, none, or start with {', '.join(SCHEMES)}")
        try:
            parse_redis_url(self.url)
        except ValueError as error:
            # The text of a plain ValueError is hidden where a variable has the value. This one may
            # be shown: it quotes nothing.
            reason = {"reason": f"url is no Redis URL: {error}"}
            raise PydanticCustomError("redis_url", "{reason}", reason) from None
        return self

    @model_validator(mode="after")
    def _two_streams(self) -> RedisConfig:
        if self.counts_stream == self.stream:
            raise ValueError("stream and counts_stream are the same; rows are no events")
        return self


TopicPrefix = Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-]+)*$")]


class WebhookConfig(Section):
    """A POST request per event."""

    url: str | None = Field(
        None,
        repr=False,
        description="http(s)://... that receives a POST request per event; null: off",
    )
    secret_file: UserPath | None = Field(
        None,
        description="file with the key of the signatures (HMAC-SHA256), relative to the current "
        "directory: any text, or whsec_... of the Standard Webhooks specification; null: unsigned",
    )
    format: Literal["event", "cloudevents"] = Field(
        "event", description="body: the event, or a CloudEvent 1.0 in structured JSON around it"
    )
    filter: Conditions = Field(
        (),
        description="which events, as subscribe --filter, "
        'e.g. [action=fight, "kind=start,end"]; []: all',
    )
    timeout_s: PositiveFloat = Field(
        10.0, description="longest duration of a request, from the connection to the whole response"
    )

    @model_validator(mode="after")
    def _known_scheme(self) -> WebhookConfig:
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("url must start with http:// or https://")
        return self

    @field_serializer("url", when_used="json")
    def _scheme_only(self, url: str | None) -> str | None:
        # The configuration is logged; in many services the path of the URL is the password.
        return None if url is None else f"{url.partition('://')[0]}://***"


class HomeAssistantConfig(Section):
    """Entities of Home Assistant: a device per camera, found by its MQTT discovery."""

    enabled: bool = Field(False, description="publish retained states and how to find them")
    discovery_prefix: TopicPrefix = Field(
        "homeassistant", description="as in Home Assistant's own MQTT settings"
    )
    topic: TopicPrefix = Field(
        "behaviour-stream", description="what the topics of states begin with"
    )


class MqttConfig(Section):
    """An MQTT message per event."""

    host: str | None = Field(
        None, pattern=r"^[^/@\s]+$", description="name or address of the broker; null: off"
    )
    port: int = Field(1883, ge=1, le=65535, description="port of the broker, usually 8883 with tls")
    tls: bool = Field(
        False,
        description="encrypt; the certificate must be issued by an authority that the system "
        "trusts, or by one in the file SSL_CERT_FILE",
    )
    protocol: Literal["auto", "5", "3.1.1"] = Field(
        "auto",
        description="version of MQTT; 3.1.1 cannot report that the broker refuses an event: auto "
        "takes it where the broker knows no other",
    )
    username: str | None = Field(None, description="null: the broker requires none")
    password_file: UserPath | None = Field(
        None, description="file with the password, relative to the current directory"
    )
    topic: Annotated[str, AfterValidator(check_topic)] = Field(
        "behaviour/{camera_id}/{kind}",
        description="{camera_id}, {kind}, {action}, {run_id}; in their values / + # $ % become "
        "%2F and so on",
    )
    filter: Conditions = Field((), description="which events, as of the webhook")
    timeout_s: PositiveFloat = Field(
        10.0, description="longest wait for a connection, and for the broker's acknowledgement"
    )
    home_assistant: HomeAssistantConfig = Field(
        default_factory=HomeAssistantConfig, description="entities of Home Assistant"
    )

    @model_validator(mode="after")
    def _password_has_username(self) -> MqttConfig:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


class BridgesConfig(Section):
    """Subscribers that forward events; each is a process: `behaviour-stream bridge webhook`."""

    webhook: WebhookConfig = Field(
        default_factory=WebhookConfig, description="events as HTTP requests"
    )
    mqtt: MqttConfig = Field(default_factory=MqttConfig, description="events as MQTT messages")
    notify: NotifyConfig = Field(
        default_factory=NotifyConfig, description="events as messages to people"
    )
