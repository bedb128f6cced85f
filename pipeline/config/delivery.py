"""The configuration of where events go; `configs/default.yaml` has each key with its meaning."""

from __future__ import annotations

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_serializer,
    model_validator,
)

from pipeline.config.section import Section
from pipeline.redaction import mask_url
from pipeline.redis_store.redis_schemes import SCHEMES


class RedisConfig(Section):
    """Where events go."""

    url: str
    # Braces would change which part of the name a cluster hashes.
    stream: str = Field(min_length=1, pattern=r"^[^{}]*$")
    maxlen: PositiveInt
    max_age_s: PositiveFloat | None
    wait_s: NonNegativeFloat
    outbox_max_mb: PositiveInt

    @field_serializer("url", when_used="json")
    def _without_credentials(self, url: str) -> str:
        """The configuration is logged."""
        return mask_url(url)

    @model_validator(mode="after")
    def _known_url(self) -> RedisConfig:
        if self.url not in ("embedded", "none") and not self.url.startswith(SCHEMES):
            raise ValueError(f"url must be embedded, none, or start with {', '.join(SCHEMES)}")
        return self
