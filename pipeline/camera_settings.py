"""What holds for each camera: its thresholds, zones, lines and rules; a reload replaces it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from models.slowfast.default_decision import DefaultDecision
from pipeline.config.live import CameraConfig
from pipeline.config.rule_references import applies_to
from pipeline.config.rules import ConditionConfig, RuleConfig
from pipeline.config.schema import PipelineConfig
from pipeline.config.zones import GroundPlaneConfig
from pipeline.default_thresholds import decision_policy, no_such_label
from pipeline.errors import ConfigError
from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.rule import AlarmRule, Condition
from pipeline.rules.stage import CameraRules
from pipeline.stages.subject_decider import DecisionPolicy


@dataclass(frozen=True, slots=True)
class KnownActions:
    """What the recognizer of a run knows, which no reload changes."""

    labels: tuple[str, ...]
    group_labels: Collection[str] = ()  # of a group; all others are of one person
    fresh_s: float = 0.0  # see `DecisionPolicy`
    defaults: DefaultDecision | None = None  # thresholds of the weights


class CameraSettings:
    """The settings of every camera, by its id; one thread may reload while others ask.

    A camera without a section of its own, as a recording has it, gets what holds for all.

    Args:
        config: with `decision`, `cameras`, `schedules` and `rules`.
        known: of the recognizer.
        policy: what the section `decision` means for it; None: made from the configuration.

    Raises:
        ConfigError: if the configuration names an action that the recognizer does not have.
    """

    def __init__(
        self, config: PipelineConfig, known: KnownActions, policy: DecisionPolicy | None = None
    ) -> None:
        self._known = known
        if policy is None:
            policy = _policy(config, known, None)
        self._current = _Settings(config, known, policy)

    def reload(self, config: PipelineConfig) -> None:
        """Replace all settings, from the next frame of each camera on.

        Raises:
            ConfigError: as the constructor; then nothing is replaced.
        """
        current = self._current
        same = config.decision == current.config.decision
        policy = current.policy if same else _policy(config, self._known, None)
        self._current = _Settings(config, self._known, policy)

    def policy_of(self, camera_id: str) -> DecisionPolicy:
        """Return the thresholds of a camera; the same object until they change."""
        return self._current.of(camera_id)[0]

    def rules_of(self, camera_id: str) -> CameraRules:
        """Return the zones, lines and rules of a camera; the same object until a reload."""
        return self._current.of(camera_id)[1]


@dataclass(slots=True)
class _Settings:
    """The settings of one configuration, made for each camera when it is asked for."""

    config: PipelineConfig
    known: KnownActions
    policy: DecisionPolicy  # of cameras without thresholds of their own
    _cameras: dict[str, tuple[DecisionPolicy, CameraRules]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rule_actions(self.config, self.known.labels, self.known.group_labels)
        for camera_id in self.config.cameras:  # mistakes first
            self.of(camera_id)

    def of(self, camera_id: str) -> tuple[DecisionPolicy, CameraRules]:
        found = self._cameras.get(camera_id)
        if found is None:
            camera = self.config.cameras.get(camera_id)
            policy = self.policy
            if camera is not None and camera.decision is not None:
                policy = _policy(self.config, self.known, camera_id)
            found = self._cameras[camera_id] = policy, camera_rules(self.config, camera_id)
        return found


def camera_rules(config: PipelineConfig, camera_id: str) -> CameraRules:
    """Return the zones, the lines and the rules that apply to a camera."""
    section = config.cameras.get(camera_id)
    camera = CameraConfig() if section is None else section
    return CameraRules(
        zones=tuple(zone.zone(name) for name, zone in camera.zones.items()),
        lines=tuple(line.line(name) for name, line in camera.lines.items()),
        plane=None if camera.ground_plane is None else _ground_plane(camera.ground_plane),
        rules=tuple(
            _rule(name, rule, config)
            for name, rule in config.rules.items()
            if applies_to(rule, camera_id, section)
        ),
    )


def check_rule_actions(
    config: PipelineConfig, labels: tuple[str, ...], group_labels: Collection[str] = ()
) -> None:
    """Check the actions that rules name against those of the recognizer.

    Raises:
        ConfigError: naming the rule, the key, and the actions that there are.
    """
    for key, condition in _conditions(config):
        for action in condition.action:
            if action not in labels:
                raise ConfigError(f"{key}.action: {action}: {no_such_label(action, labels)}")
            if condition.still_for_s and action in group_labels:
                raise ConfigError(f"{key}.still_for_s: {action} is of a group, not of one person")


def _conditions(config: PipelineConfig) -> Iterator[tuple[str, ConditionConfig]]:
    for name, rule in config.rules.items():
        for part, condition in rule.conditions.items():
            yield f"rules.{name}.{part}".rstrip("."), condition


def _policy(config: PipelineConfig, known: KnownActions, camera_id: str | None) -> DecisionPolicy:
    decision, key = config.decision, "decision"
    if camera_id is not None:
        decision = decision.for_camera(config.cameras[camera_id].decision)
        key = f"cameras.{camera_id}.decision"
    return replace(
        decision_policy(known.labels, decision, known.defaults, key),
        group_actions=frozenset(known.group_labels),
        fresh_s=known.fresh_s,
    )


def _rule(name: str, rule: RuleConfig, config: PipelineConfig) -> AlarmRule:
    return AlarmRule(
        name=name,
        when=_condition(rule, people=rule.people),
        after=None if rule.after is None else _condition(rule.after),
        unless=None if rule.unless is None else _condition(rule.unless),
        within_s=rule.within_s or 0.0,
        same=rule.same,
        schedules=tuple((one, config.schedules[one].schedule(one)) for one in rule.schedule),
        severity=rule.severity,
        near=rule.near,
        end_after_s=rule.end_after_s,
        update_interval_s=rule.update_interval_s,
        cool_down_s=rule.cool_down_s,
        subject_cool_down_s=rule.subject_cool_down_s,
        max_per_hour=rule.max_per_hour,
    )


def _condition(condition: ConditionConfig, people: int = 1) -> Condition:
    return Condition(
        actions=condition.action,
        person=condition.person,
        more_than=condition.more_than,
        fewer_than=condition.fewer_than,
        closer_than=condition.closer_than,
        closer_than_m=condition.closer_than_m,
        zones=condition.zone,
        outside=condition.outside,
        line=condition.line,
        direction=condition.direction,
        min_score=condition.min_score,
        people=people,
        still_for_s=condition.still_for_s,
        for_s=condition.for_s,
    )


@lru_cache(maxsize=256)
def _ground_plane(section: GroundPlaneConfig) -> GroundPlane:
    """Return the same object for equal sections, so that a reload changes nothing."""
    return section.ground_plane()
