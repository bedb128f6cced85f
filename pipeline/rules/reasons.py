"""Say in words why there is an alarm."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.rules.alarms import AlarmChange
from pipeline.rules.conditions import Match
from pipeline.rules.rule import Condition
from pipeline.rules.scene import CameraScene

_NAMED = 5  # people who are named; of more, their number is given


def reason_of(change: AlarmChange, scene: CameraScene) -> str:
    """Describe what fulfils a rule.

    `fight 0.84 by 12 and 15 in entrance for 1.2 s, schedule night`

    Args:
        change: of an alarm.
        scene: with the people's ids as events have them.
    """
    lasts_s = change.end_pts_s - change.start_pts_s
    parts = [_what(change.rule.when, change.matches, scene, lasts_s)]
    after, unless = change.rule.after, change.rule.unless
    if after is not None and change.first is not None:
        ago_s = max(change.start_pts_s - change.first.last_s, 0.0)
        parts.append(f"after {_asked(after)} {ago_s:.1f} s before")
    if unless is not None:
        parts.append(f"without {_asked(unless)}")
    if change.schedule is not None:
        parts.append(f"schedule {change.schedule}")
    return ", ".join(parts)


def shown_ids(matches: Sequence[Match], scene: CameraScene) -> tuple[int, ...]:
    """Return the current ids of the people in matches, ascending, as events have them."""
    ids = {one for match in matches for one in match.people}
    return tuple(sorted(map(scene.shown_id, ids)))


def _what(asked: Condition, matches: Sequence[Match], scene: CameraScene, lasts_s: float) -> str:
    who = _people(shown_ids(matches, scene))
    zone = next((match.zone for match in matches if match.zone is not None), None)
    place = f" in {zone}" if zone is not None else ""
    if asked.actions:
        return _actions(matches, f"by {who}{place}", lasts_s)
    if asked.person is not None:
        return _presence(asked, matches, who, zone, lasts_s)
    if asked.more_than is not None or asked.fewer_than is not None:
        count = matches[-1].count
        people = "1 person" if count == 1 else f"{count} people" if count else "no person"
        return f"{people}{place} for {lasts_s:.1f} s ({_asked(asked)})"
    return f"{who}{place} {_asked(asked)} for {lasts_s:.1f} s"


def _actions(matches: Sequence[Match], by_whom: str, lasts_s: float) -> str:
    done: dict[str, float] = {}
    for match in matches:
        if match.action is not None:
            before = done.get(match.action.action, 0.0)
            done[match.action.action] = max(before, match.action.peak_score)
    what = " and ".join(f"{action} {score:.2f}" for action, score in done.items())
    still_s = max(match.still_s for match in matches)
    if still_s:
        return f"{what} {by_whom}, without motion for {still_s:.1f} s"
    return f"{what} {by_whom} for {lasts_s:.1f} s"


def _presence(
    asked: Condition, matches: Sequence[Match], who: str, zone: str | None, lasts_s: float
) -> str:
    where = zone or "the image"
    if asked.person == "crosses":
        ways = dict.fromkeys(match.passed for match in matches if match.passed)
        way = " and ".join(one.replace("_", " ") for one in ways)
        return f"{who} crossed {asked.line} from {way}" + (f" in {zone}" if zone else "")
    verbs = {"enters": "entered", "returns": "came back to", "leaves": "left"}
    if asked.person in verbs:
        return f"{who} {verbs[asked.person]} {where}"
    return f"{who} in {where} for {lasts_s:.1f} s"


def _asked(asked: Condition) -> str:
    """Describe what a condition asks for, in a few words."""
    if asked.actions:
        what = " or ".join(asked.actions)
    elif asked.person == "crosses":
        what = f"crossing {asked.line}"
    elif asked.person is not None:
        nouns = {"enters": "entering", "returns": "coming back to", "leaves": "leaving"}
        target = " or ".join(asked.zones) or "the image"
        return f"{nouns.get(asked.person, 'being in')} {target}"
    elif asked.more_than is not None:
        return f"more than {asked.more_than}"
    elif asked.fewer_than is not None:
        return f"fewer than {asked.fewer_than}"
    elif asked.closer_than is not None:
        return f"closer than {asked.closer_than:g} body lengths"
    else:
        return f"closer than {asked.closer_than_m or 0:g} m"
    return f"{what} in {' or '.join(asked.zones)}" if asked.zones else what


def _people(ids: Sequence[int]) -> str:
    named = [str(one) for one in ids[:_NAMED]]
    if len(ids) > _NAMED:
        return f"{', '.join(named)} and {len(ids) - _NAMED} more"
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
