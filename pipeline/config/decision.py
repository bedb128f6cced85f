"""When scores become events: thresholds and durations, for all actions and for single ones."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, model_validator

from pipeline.config.loading import Section

START_THRESHOLD, END_THRESHOLD = 0.6, 0.4  # where neither the weights nor the user has any


class ActionOverride(Section):
    """Thresholds of one action; null: as in the section `decision`."""

    start_threshold: float | None = Field(
        None, ge=0.0, le=1.0, description="smoothed score at which it may start"
    )
    end_threshold: float | None = Field(
        None, ge=0.0, le=1.0, description="smoothed score under which it may end"
    )
    min_duration_s: NonNegativeFloat | None = Field(
        None, description="it must stay above start_threshold this long"
    )
    min_gap_s: NonNegativeFloat | None = Field(
        None, description="it must stay under end_threshold this long"
    )


class CameraDecisionConfig(ActionOverride):
    """What one camera decides otherwise; null: as in the section `decision`."""

    actions: tuple[str, ...] | None = Field(
        None, description="the labels that make events of this camera, e.g. [fight, fall]"
    )
    per_action: dict[str, ActionOverride] = Field(
        {}, description="thresholds of one label on this camera"
    )


class DecisionConfig(Section):
    """When scores become events."""

    smoothing_s: NonNegativeFloat = Field(
        1.0, description="time constant of the average over a person's scores"
    )
    start_threshold: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="smoothed score at which an action may start; null: that of the weights, "
        "else 0.6",
    )
    end_threshold: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="smoothed score under which it may end; null: that of the weights if the "
        "start is theirs too, else 0.4",
    )
    min_duration_s: NonNegativeFloat = Field(
        0.5, description="it must stay above start_threshold this long"
    )
    min_gap_s: NonNegativeFloat = Field(
        0.5, description="it must stay under end_threshold this long"
    )
    update_interval_s: NonNegativeFloat = Field(
        1.0, description="at most one update event per action in this time"
    )
    actions: tuple[str, ...] | None = Field(
        None,
        description="the labels that make events, e.g. [fight, fall]; null: all but background",
    )
    background: tuple[str, ...] = Field(("nothing",), description="labels that never make an event")
    per_action: dict[str, ActionOverride] = Field(
        {},
        description="thresholds of one label, "
        "e.g. {fight: {start_threshold: 0.8, min_duration_s: 1.0}}",
    )

    def for_action(self, action: str) -> DecisionConfig:
        """Return the section with the overrides of one action applied."""
        override = self.per_action.get(action, ActionOverride())
        return self.model_copy(update=override.model_dump(exclude_none=True))

    def for_camera(self, own: CameraDecisionConfig | None) -> DecisionConfig:
        """Return the section with what one camera has of its own.

        What the camera sets for all actions also replaces what single actions have here.

        Raises:
            ValueError: if an end threshold is then above its start threshold.
        """
        if own is None:
            return self
        changed = own.model_dump(exclude_none=True, exclude={"per_action"})
        of_actions = {
            action: override.model_dump(exclude_none=True, exclude=set(changed))
            for action, override in self.per_action.items()
        }
        for action, override in own.per_action.items():
            before = of_actions.get(action, {})
            of_actions[action] = before | override.model_dump(exclude_none=True)
        values = self.model_dump(exclude={"per_action"}) | changed
        return DecisionConfig.model_validate(values | {"per_action": of_actions})

    def makes_events_of(self, action: str) -> bool:
        """Return whether there may be events of an action."""
        is_wanted = self.actions is None or action in self.actions
        return is_wanted and action not in self.background

    @model_validator(mode="after")
    def _end_below_start(self) -> DecisionConfig:
        for action in ("", *self.per_action):
            start, end = self.for_action(action).thresholds
            if end > start:
                key = f"per_action.{action}.end_threshold" if action else "end_threshold"
                raise ValueError(f"{key} ({end}) must not be above its start_threshold ({start})")
        return self

    @property
    def thresholds(self) -> tuple[float, float]:
        """Start and end threshold where the weights have none."""
        start, end = self.start_threshold, self.end_threshold
        return (
            START_THRESHOLD if start is None else start,
            END_THRESHOLD if end is None else end,
        )
