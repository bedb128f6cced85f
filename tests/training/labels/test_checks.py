"""What is reported before the first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.labels.checks import Finding, check_labels
from training.labels.samples import Sample

LABELS = ("hug", "walk")


def good() -> list[Sample]:
    return [
        Sample(
            Path(f"{n}.mp4"),
            (LABELS[n % 2],),
            group=str(n),
            split="val" if n < 8 else "train",
            origin=f"labels.csv:{n + 2}",
        )
        for n in range(40)
    ]


def check(samples: list[Sample], labels: tuple[str, ...] = LABELS) -> list[Finding]:
    return check_labels(samples, labels, multi_label=False)


def only(findings: list[Finding], level: str) -> str:
    (finding,) = (one for one in findings if one.level == level)
    return str(finding)


def test_good_data_is_not_complained_of() -> None:
    assert check(good()) == []


def test_a_group_in_two_splits_is_an_error() -> None:
    samples = [*good(), replace(good()[0], path=Path("new.mp4"), split="train")]
    assert "groups are in more than one split (1): 0" in only(check(samples), "error")


def test_a_file_in_two_splits_is_an_error() -> None:
    samples = [*good(), replace(good()[0], group=None, start_s=1.0, split="train")]
    assert "files are in more than one split (1): 0.mp4" in only(check(samples), "error")


def test_a_copy_under_another_name_in_another_split_is_an_error(tmp_path: Path) -> None:
    names = [tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.mp4"]
    for name, content in zip(names, (b"same", b"same", b"else"), strict=True):
        name.write_bytes(content)
    samples = [
        replace(one, path=name) for one, name in zip(good()[7:10], names, strict=True)
    ] + good()[10:]
    text = only(check(samples), "error")
    assert "copies of files in another split" in text
    assert "b.mp4 = " in text
    assert "c.mp4" not in text


def test_labels_that_no_sample_has_are_an_error() -> None:
    assert "no training clip has: kick" in only(check(good(), (*LABELS, "kick")), "error")


def test_labels_that_are_not_among_the_classes_are_an_error_with_their_lines() -> None:
    text = only(check([*good(), replace(good()[9], labels=("run",), start_s=1.0)]), "error")
    assert "run (labels.csv:11)" in text


def test_several_labels_need_to_be_allowed() -> None:
    samples = [*good(), Sample(Path("x.mp4"), ("hug", "walk"), split="train", origin="l.csv:9")]
    assert "data.multi_label=true" in only(check(samples), "error")
    assert check_labels(samples, LABELS, multi_label=True) == []


def test_one_class_alone_is_an_error() -> None:
    samples = [replace(one, labels=("hug",)) for one in good()]
    assert "one class only" in only(check(samples, ("hug",)), "error")


def test_classes_with_few_clips_are_a_warning() -> None:
    samples = [one for one in good() if one.labels == ("hug",) or one.split == "val"]
    samples += [one for one in good()[8:] if one.labels == ("walk",)][:3]
    assert "fewer than 10 training clips: walk (3)" in only(check(samples), "warning")


def test_no_validation_and_a_validation_without_a_class_are_warnings() -> None:
    none = [replace(one, split="train") for one in good()]
    assert "there is no validation" in only(check(none), "warning")
    part = [one for one in good() if one.split == "train" or one.labels == ("hug",)]
    assert "validation has no clip of walk" in only(check(part), "warning")


@pytest.mark.parametrize(("label", "level"), [("hug", "warning"), ("walk", "error")])
def test_a_stretch_that_is_listed_twice_is_reported(label: str, level: str) -> None:
    again = replace(good()[10], origin="labels.csv:99", labels=(label,))
    assert "labels.csv:12 and labels.csv:99" in only(check([*good(), again]), level)
