"""Label files and the split by group."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.datasets import held_out_groups, list_videos
from training.labels import LABELS

GROUPS = [f"a:{n % 12}" for n in range(60)] + [f"b:{n % 7}" for n in range(30)]


@pytest.mark.parametrize("seed", range(5))
def test_about_a_fifth_of_each_data_set_is_held_out(seed: int) -> None:
    held_out = held_out_groups(GROUPS, 0.2, seed)
    for dataset, count in (("a", 60), ("b", 30)):
        taken = sum(group in held_out for group in GROUPS if group.startswith(dataset))
        assert 0.2 * count <= taken <= 0.4 * count


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    drawn = held_out_groups(GROUPS, 0.2, 1)
    assert held_out_groups(GROUPS[::-1], 0.2, 1) == drawn
    assert any(held_out_groups(GROUPS, 0.2, seed) != drawn for seed in range(2, 6))


def test_label_files_become_videos_with_our_labels(tmp_path: Path) -> None:
    for dataset, row in (
        ("ut_interaction", "hug/a.avi,hug,3"),
        ("fight_surv", "n/b.mp4,noFight,3"),
    ):
        (tmp_path / dataset).mkdir()
        (tmp_path / dataset / "labels.csv").write_text(f"path,label,group\n{row}\n")
    videos = list_videos(tmp_path)
    assert [video.label for video in videos] == ["hug", "nothing"]
    assert [video.group for video in videos] == ["ut_interaction:3", "fight_surv:3"]
    assert videos[1].path == tmp_path / "fight_surv" / "n" / "b.mp4"


def test_the_real_split_leaks_no_group_and_knows_every_label(shared_data: Path) -> None:
    videos = list_videos(shared_data / "data")
    assert {video.label for video in videos} <= set(LABELS)
    held_out = held_out_groups([video.group for video in videos], 0.2, 0)
    tested = {video.label for video in videos if video.group in held_out}
    learned = {video.label for video in videos if video.group not in held_out}
    assert tested == learned  # every class on both sides
