"""The order of the key points."""

from __future__ import annotations

from models.pose.key_points import BONES, COUNT, MIRRORED, NAMES, not_found


def test_a_mirrored_person_has_left_and_right_exchanged() -> None:
    for name, index in zip(NAMES, MIRRORED, strict=True):
        side, _, rest = name.partition("_")
        other = {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)
        assert NAMES[index] == other


def test_bones_connect_different_points() -> None:
    assert all(0 <= a != b < COUNT for a, b in BONES)


def test_what_is_not_found_has_no_confidence() -> None:
    assert not_found(2).shape == (2, 17, 3)
    assert not not_found(2).any()
