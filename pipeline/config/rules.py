"""Rules: which actions and whose presence are an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from pipeline.config.loading import Section
from pipeline.events import Severity

# The keys of which a condition has exactly one.
WHAT = ("action", "person", "more_than", "fewer_than", "closer_than", "closer_than_m")
_MOMENTS = ("enters", "leaves", "returns", "crosses")  # nothing of them lasts


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=str | tuple[str, ...])
]


class ConditionConfig(Section):
    """Who does what, where, and for how long: one of the first six keys, and what narrows it."""

    action: Names = Field((), description="a label, or a list of which any counts")
    person: Literal["enters", "leaves", "returns", "inside", "dwells", "crosses"] | None = Field(
        None,
        description="enters | leaves | returns (comes back into) | inside | dwells (for for_s) the "
        "zone, or the image without one; crosses the line",
    )
    more_than: NonNegativeInt | None = Field(
        None,
        description="more people than this in the zone, or in the image",
        json_schema_extra={"unit": "people"},
    )
    fewer_than: PositiveInt | None = Field(
        None,
        description="fewer people than this; 1: the zone is empty",
        json_schema_extra={"unit": "people"},
    )
    closer_than: PositiveFloat | None = Field(
        None,
        description="two people closer to each other than this",
        json_schema_extra={"unit": "body lengths"},
    )
    closer_than_m: PositiveFloat | None = Field(
        None,
        description="likewise in metres; the camera needs a ground_plane",
        json_schema_extra={"unit": "metres"},
    )
    zone: Names = Field((), description="inside this zone, or any of a list; []: in the image")
    outside: Names = Field((), description="not inside this zone, or any of a list")
    line: str | None = Field(None, description="of person: crosses")
    direction: Literal["left_to_right", "right_to_left"] | None = Field(
        None, description="of person: crosses, seen along the line; null: either"
    )
    min_score: float = Field(0.0, ge=0.0, le=1.0, description="the action's highest score so far")
    still_for_s: NonNegativeFloat = Field(
        0.0, description="the person has not moved for so long since the action; 0: may move"
    )
    for_s: NonNegativeFloat = Field(0.0, description="it must hold for so long")

    @model_validator(mode="after")
    def _makes_sense(self) -> ConditionConfig:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> list[str]:
        given = [key for key in WHAT if getattr(self, key) not in (None, ())]
        if len(given) != 1:
            count = f"not {' and '.join(given)}" if given else "there is none"
            return [f"exactly one of {', '.join(WHAT)} says what happens; {count}"]
        both = sorted(set(self.zone) & set(self.outside))
        found = [f"never: in and outside of {', '.join(both)}"] if both else []
        return (
            found
            + [
                f"{key} has no effect without {needs}"
                for key, is_given, needs, is_there in (
                    ("min_score", self.min_score > 0, "action", self.action),
                    ("still_for_s", self.still_for_s > 0, "action", self.action),
                    ("line", self.line is not None, "person: crosses", self.person == "crosses"),
                    ("direction", self.direction is not None, "line", self.line is not None),
                )
                if is_given and not is_there
            ]
            + self._problems_of_presence()
        )

    def _problems_of_presence(self) -> list[str]:
        if self.person == "crosses" and self.line is None:
            return ["line: missing, it is what the person crosses"]
        if self.person == "returns" and not self.zone:
            return ["zone: missing, a person who left the image comes back as another one"]
        if self.person == "dwells" and not self.for_s:
            return ["for_s: missing, it is how long the person dwells (or person: inside)"]
        if self.person in _MOMENTS and self.for_s:
            return [f"for_s has no effect with person: {self.person}; use person: dwells"]
        if self.still_for_s and self.for_s:
            return ["for_s has no effect beside still_for_s"]
        return []


class RuleConfig(ConditionConfig):
    """A condition, when it counts, and what follows from it."""

    people: PositiveInt = Field(
        1,
        description="at least so many people do the action, or are near to one who does",
        json_schema_extra={"unit": "people"},
    )
    near: NonNegativeFloat = Field(
        1.0,
        description="distance up to which people are one alarm",
        json_schema_extra={"unit": "body lengths"},
    )
    after: ConditionConfig | None = Field(
        None, description="what must have happened before, with the keys above"
    )
    unless: ConditionConfig | None = Field(
        None,
        description="what must not have happened since then (without after: in within_s before)",
    )
    within_s: PositiveFloat | None = Field(
        None, description="longest time between after, or unless, and what follows"
    )
    same: Literal["person", "zone", "camera"] = Field(
        "person", description="person | zone | camera: whose after and unless count"
    )
    schedule: Names = Field((), description="a name of schedules, or any of a list; []: always")
    cameras: Names = Field(
        (), description='names or patterns, e.g. [gate, "yard-*"]; []: all that have the zone'
    )
    severity: Severity = Field("warning", description="info | warning | critical")
    end_after_s: NonNegativeFloat = Field(
        5.0, description="an alarm ends when the condition has not held for so long"
    )
    update_interval_s: NonNegativeFloat = Field(
        10.0, description="at most one update event per alarm in this time"
    )
    cool_down_s: NonNegativeFloat = Field(
        0.0, description="after an alarm, the rule is silent on this camera for so long"
    )
    subject_cool_down_s: NonNegativeFloat = Field(
        0.0, description="after an alarm, it is silent about the same people for so long"
    )
    max_per_hour: PositiveInt | None = Field(
        None,
        description="alarms per camera and hour; of more, the next alarm says how many; null: any",
        json_schema_extra={"unit": "alarms"},
    )

    def _problems(self) -> list[str]:
        has_other = self.after is not None or self.unless is not None
        found = [
            problem
            for problem, is_wrong in (
                ("people has no effect without action", self.people > 1 and not self.action),
                ("within_s: missing, beside after or unless", has_other and not self.within_s),
                ("within_s has no effect without after or unless", self.within_s and not has_other),
                ("same has no effect without after or unless", self._is_set("same", has_other)),
            )
            if is_wrong
        ]
        return [*super()._problems(), *found, *self._problems_of_same()]

    def _problems_of_same(self) -> Iterator[str]:
        """Yield why `after` and `unless` can never be about the same person or zone."""
        others = {key: one for key, one in self.conditions.items() if key}
        if not others:
            return
        for key, one in self.conditions.items():
            where = key or "the rule itself"
            if self.same == "person" and one.fewer_than == 1:
                yield (
                    f"same: person: there is none in {where} (fewer_than: 1); "
                    "expected same: zone or camera"
                )
            mine, theirs = set(self.zone) or {""}, set(one.zone) or {""}
            if self.same == "zone" and mine.isdisjoint(theirs):
                yield (
                    f"same: zone: the rule itself and {where} have no zone in common; "
                    "expected same: person or camera"
                )

    def _is_set(self, key: str, has_effect: bool) -> bool:
        return not has_effect and key in self.model_fields_set

    @property
    def conditions(self) -> dict[str, ConditionConfig]:
        """The conditions by the key that they are below; "" is the rule itself."""
        others = {"after": self.after, "unless": self.unless}
        return {"": self} | {key: one for key, one in others.items() if one is not None}
