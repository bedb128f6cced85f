"""Which videos the compact recognizer is trained on, and what is held out."""

from __future__ import annotations

from pathlib import Path

from training.recipe.compact_sources import held_out_groups, list_sources

GROUPS = [f"a:{n // 3}" for n in range(60)] + [f"b:{n}" for n in range(20)]


def test_of_every_data_set_about_the_fraction_is_held_out_and_the_draw_repeats() -> None:
    chosen = held_out_groups(GROUPS, 0.2, seed=0)
    for dataset, videos in (("a", 60), ("b", 20)):
        held = sum(group in chosen for group in GROUPS if group.startswith(dataset))
        assert 0.2 * videos <= held <= 0.2 * videos + 3
    assert chosen == held_out_groups(GROUPS, 0.2, seed=0)
    assert chosen != held_out_groups(GROUPS, 0.2, seed=1)


def test_no_group_is_both_trained_on_and_held_out(shared_data: Path) -> None:
    sources = list_sources(shared_data / "data")
    held_out = {source.group for source in sources if source.held_out}
    assert held_out.isdisjoint(source.group for source in sources if not source.held_out)
    assert all(source.path.is_file() for source in sources)


def test_nothing_of_the_demo_is_trained_on(shared_data: Path) -> None:
    pets = [source for source in list_sources(shared_data / "data") if source.dataset == "pets"]
    trained_on = [source for source in pets if not source.held_out]
    assert [source.end_s for source in trained_on] == [56.0]  # frame 560 at 10 frames per second


def test_falls_are_not_used(shared_data: Path) -> None:
    paths = [str(source.path) for source in list_sources(shared_data / "data")]
    assert not [path for path in paths if "/fall/" in path]
