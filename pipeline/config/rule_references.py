"""Check the names in rules against the cameras, zones, lines and schedules that there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

from pipeline.config.live import CameraConfig
from pipeline.config.rules import ConditionConfig, RuleConfig

Problem = tuple[str, str]  # the key and what is wrong with its value
_SHOWN = 20  # names that a message lists


def applies_to(rule: RuleConfig, camera_id: str, camera: CameraConfig | None) -> bool:
    """Return whether a rule can alarm on a camera.

    Args:
        rule: with the names or patterns of its cameras, and the zones and line that it needs.
        camera_id: of the camera.
        camera: its section; None: it has none, and so neither zones nor lines.
    """
    if rule.cameras and not any(fnmatchcase(camera_id, one) for one in rule.cameras):
        return False
    needed = [rule] if rule.after is None else [rule, rule.after]
    return all(_can_hold(condition, camera) for condition in needed)


def rule_problems(
    rules: Mapping[str, RuleConfig],
    cameras: Mapping[str, CameraConfig],
    schedules: Collection[str],
    is_background: Callable[[str], bool],
) -> Iterator[Problem]:
    """Yield what is wrong with the names in rules.

    Args:
        rules: by name.
        cameras: with their zones and lines, by name.
        schedules: their names.
        is_background: whether no camera has events of an action.
    """
    for name, rule in rules.items():
        key = f"rules.{name}"
        for schedule in rule.schedule:
            if schedule not in schedules:
                yield f"{key}.schedule", _unknown("schedule", schedule, schedules)
        mine = {
            camera_id: camera
            for camera_id, camera in cameras.items()
            if not rule.cameras or any(fnmatchcase(camera_id, one) for one in rule.cameras)
        }
        found = False
        for part, condition in rule.conditions.items():
            for problem in _of_condition(condition, mine, cameras, is_background):
                found = True
                yield f"{key}.{part}.{problem[0]}".replace("..", "."), problem[1]
        needs_camera = any(map(_needs_camera, rule.conditions.values()))
        if not found and needs_camera and not _somewhere(rule, mine):
            yield key, "never: no camera has all of the zones, lines or ground_plane that it needs"


def evidence_problems(patterns: Collection[str], rules: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the rules whose evidence is kept; `*` is right without any rule.

    Args:
        patterns: names or patterns of rules.
        rules: their names.
    """
    for pattern in patterns:
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in rules):
            yield "evidence.rules", _unknown("rule", pattern, rules)


def _of_condition(
    condition: ConditionConfig,
    mine: Mapping[str, CameraConfig],
    cameras: Mapping[str, CameraConfig],
    is_background: Callable[[str], bool],
) -> Iterator[Problem]:
    """Yield the problems of one condition, each with its last key."""
    zones, all_zones = _names(mine, "zones"), _names(cameras, "zones")
    lines, all_lines = _names(mine, "lines"), _names(cameras, "lines")
    for key in ("zone", "outside"):
        for name in getattr(condition, key):
            if name not in zones:
                yield key, _missing("zone", name, zones, all_zones)
    if condition.line is not None and condition.line not in lines:
        yield "line", _missing("line", condition.line, lines, all_lines)
    if condition.closer_than_m is not None and not any(map(_has_plane, mine.values())):
        yield "closer_than_m", "none of its cameras has a ground_plane"
    if condition.action and all(map(is_background, condition.action)):
        yield "action", "never: decision makes no events of it (actions, background)"


def _names(cameras: Mapping[str, CameraConfig], key: str) -> dict[str, list[str]]:
    """Return the cameras that have a zone or line, by its name."""
    found: dict[str, list[str]] = {}
    for camera_id, camera in cameras.items():
        for name in getattr(camera, key):
            found.setdefault(name, []).append(camera_id)
    return found


def _missing(
    what: str, name: str, of_mine: Mapping[str, list[str]], of_all: Mapping[str, list[str]]
) -> str:
    if name in of_all:
        return f"none of the rule's cameras has a {what} {name}; {', '.join(of_all[name])} has one"
    return _unknown(what, name, of_mine, where="cameras.NAME.")


def _unknown(what: str, name: str, known: Collection[str], where: str = "") -> str:
    has_none = f"there is no {what} {name}"
    if near := get_close_matches(name, known, 1):
        return f"{has_none}; did you mean {near[0]}?"
    if not known:
        return f"{has_none}: {where}{what}s is empty"
    shown = list(known)[:_SHOWN]
    return f"{has_none}; there are {', '.join(shown)}{', ...' if len(known) > _SHOWN else ''}"


def _needs_camera(condition: ConditionConfig) -> bool:
    return bool(condition.zone or condition.line or condition.closer_than_m)


def _somewhere(rule: RuleConfig, cameras: Mapping[str, CameraConfig]) -> bool:
    return any(applies_to(rule, camera_id, camera) for camera_id, camera in cameras.items())


def _can_hold(condition: ConditionConfig, camera: CameraConfig | None) -> bool:
    if camera is None:
        return not _needs_camera(condition)
    return (
        (not condition.zone or any(name in camera.zones for name in condition.zone))
        and (condition.line is None or condition.line in camera.lines)
        and (condition.closer_than_m is None or _has_plane(camera))
    )


def _has_plane(camera: CameraConfig) -> bool:
    return camera.ground_plane is not None
