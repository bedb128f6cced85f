"""What holds for each camera, and what a reload makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.camera_settings import CameraSettings, KnownActions
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError

KNOWN = KnownActions(("walk", "fight", "hug", "nothing"), group_labels=("hug",))
CONFIG = """\
cameras:
  gate:
    zones: {yard: {points: [[0, 0], [1, 0], [1, 1]]}}
    ground_plane:
      image: [[0, 0], [1, 0], [1, 1], [0, 1]]
      metres: [[0, 0], [4, 0], [4, 4], [0, 4]]
    decision: {actions: [fight], start_threshold: 0.9}
schedules: {night: {timezone: Europe/Vienna, times: ["22:00-06:00"]}}
rules:
  fight: {action: fight, schedule: night}
  in: {person: enters, zone: yard}
  far: {action: fight, outside: yard}
  hall: {person: enters, cameras: "hall-*"}
"""


def config_of(folder: Path, text: str) -> PipelineConfig:
    path = folder / "cameras.yaml"
    path.write_text(text)
    return load_config(path)


@pytest.fixture
def settings(tmp_path: Path) -> CameraSettings:
    return CameraSettings(config_of(tmp_path, CONFIG), KNOWN)


def names(settings: CameraSettings, camera_id: str) -> list[str]:
    return [rule.name for rule in settings.rules_of(camera_id).rules]


def test_a_camera_has_the_rules_whose_places_it_has(settings: CameraSettings) -> None:
    assert names(settings, "gate") == ["fight", "in", "far"]
    assert names(settings, "other") == ["fight", "far"], "it has no yard, so all of it is outside"
    assert names(settings, "hall-2") == ["fight", "far", "hall"]


def test_a_camera_has_thresholds_and_actions_of_its_own(settings: CameraSettings) -> None:
    gate, other = settings.policy_of("gate"), settings.policy_of("other")
    assert {action: rule.start_threshold for action, rule in gate.rules.items()} == {"fight": 0.9}
    assert set(other.rules) == {"walk", "fight", "hug"}
    assert other is settings.policy_of("another"), "one object until it changes"
    assert gate.group_actions == {"hug"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: {one: {action: figt}}", r"rules.one.action: figt: .* did you mean fight\?"),
        ("rules: {one: {action: a, unless: {action: x}, within_s: 1}}", "rules.one.action: a: the"),
        (
            "rules: {one: {action: fight, unless: {action: sit}, within_s: 1}}",
            "rules.one.unless.action: sit: .*walk, fight, hug",
        ),
        ("rules: {one: {action: hug, still_for_s: 3}}", "rules.one.still_for_s: hug is of a group"),
        ("cameras: {gate: {decision: {actions: [x]}}}", "cameras.gate.decision.actions: x: "),
        (
            "cameras: {gate: {decision: {per_action: {x: {min_gap_s: 1}}}}}",
            "cameras.gate.decision.per_action.x: ",
        ),
        ("decision: {actions: [x]}", "decision.actions: x: "),
    ],
)
def test_an_unknown_action_is_named_with_those_that_there_are(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CameraSettings(config_of(tmp_path, text), KNOWN)


def test_a_reload_replaces_everything_and_a_mistake_nothing(
    settings: CameraSettings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError):
        settings.reload(config_of(tmp_path, "rules: {one: {action: unknown}}"))
    assert names(settings, "gate") == ["fight", "in", "far"]
    settings.reload(
        config_of(tmp_path, "rules: {one: {action: walk}}\ndecision: {actions: [walk]}")
    )
    assert names(settings, "gate") == ["one"]
    assert set(settings.policy_of("gate").rules) == {"walk"}


def test_a_reload_without_a_change_gives_equal_settings(
    settings: CameraSettings, tmp_path: Path
) -> None:
    before, policy = settings.rules_of("gate"), settings.policy_of("other")
    settings.reload(config_of(tmp_path, CONFIG))
    after = settings.rules_of("gate")
    assert after.rules == before.rules
    assert after.plane is before.plane
    assert all(a.is_same_as(b) for a, b in zip(after.zones, before.zones, strict=True))
    assert settings.policy_of("other") is policy
