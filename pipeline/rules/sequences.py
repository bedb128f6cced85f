"""What was true of a person, a zone or a camera before: for rules about an order of things."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.rules.conditions import Match, MatchKey
from pipeline.rules.rule import Scope
from pipeline.rules.scene import CameraScene

_EPISODES = 8  # that are remembered of each person or zone; the newest ones
_SAME_EPISODE_S = 1.0  # a condition that is interrupted for less than this held throughout


@dataclass(slots=True)
class Episode:
    """A time in which a condition held."""

    began_s: float  # media time at which it had held long enough
    last_s: float


@dataclass(slots=True)
class EpisodeHistory:
    """When a condition held on one camera, by person, zone, or at all.

    Args:
        scope: what is looked up.
        for_s: how long the condition must have held to count.
        within_s: what is longer ago is forgotten.
    """

    scope: Scope
    for_s: float
    within_s: float
    _episodes: dict[int | str | None, deque[Episode]] = field(default_factory=dict)
    _since: dict[MatchKey, tuple[float, float]] = field(default_factory=dict)  # and last seen

    def add(self, matches: list[Match], pts_s: float) -> None:
        """Remember what fulfils the condition at this frame."""
        for match in matches:
            since_s, _ = self._since.get(match.key, (pts_s, pts_s))
            if match.key not in self._since and match.begins:
                since_s = match.since_pts_s
            self._since[match.key] = since_s, pts_s
            if pts_s - since_s >= self.for_s:
                for subject in self.subjects(match):
                    self._extend(subject, since_s + self.for_s, pts_s)

    def forget(self, scene: CameraScene) -> None:
        """Drop people who are gone, and what is too long ago."""
        if self.scope == "person":
            for one in scene.vanished:
                self._episodes.pop(one, None)
        oldest_s = scene.pts_s - self.within_s
        for subject, episodes in list(self._episodes.items()):
            while episodes and episodes[0].last_s < oldest_s - self.for_s:
                episodes.popleft()
            if not episodes:
                del self._episodes[subject]
        gone = [
            key
            for key, (_, seen_s) in self._since.items()
            if scene.pts_s - seen_s > _SAME_EPISODE_S
        ]
        for key in gone:
            del self._since[key]

    def clear(self) -> None:
        """Forget everything."""
        self._episodes.clear()
        self._since.clear()

    def before(self, match: Match, began_s: float) -> Episode | None:
        """Return the newest episode of the same subject that began before a match did.

        Args:
            match: whose people or zone are looked up.
            began_s: media time at which it began.
        """
        found = [
            episode
            for subject in self.subjects(match)
            for episode in self._episodes.get(subject, ())
            if episode.began_s < began_s and began_s - episode.last_s <= self.within_s
        ]
        return max(found, key=lambda one: one.last_s, default=None)

    def since(self, match: Match, start_s: float) -> bool:
        """Return whether the condition has held at some time since `start_s`."""
        return any(
            episode.last_s >= start_s
            for subject in self.subjects(match)
            for episode in self._episodes.get(subject, ())
        )

    def subjects(self, match: Match) -> Iterator[int | str | None]:
        """Yield what the episodes of a match are remembered by."""
        if self.scope == "person":
            yield from match.people
        else:
            yield match.zone if self.scope == "zone" else None

    def _extend(self, subject: int | str | None, began_s: float, pts_s: float) -> None:
        episodes = self._episodes.setdefault(subject, deque(maxlen=_EPISODES))
        if not episodes or max(began_s, pts_s - _SAME_EPISODE_S) > episodes[-1].last_s:
            episodes.append(Episode(began_s, pts_s))
        episodes[-1].last_s = pts_s
