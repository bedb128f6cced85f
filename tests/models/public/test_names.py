"""The table of public checkpoints is complete and consistent; facts are in its sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.checkpoints.label_sets import LABEL_SETS
from models.public.entry import PublicCheckpoint
from models.public.names import PUBLIC_CHECKPOINTS, find_public, looks_public
from tests.conftest import REPOSITORY

EVERY = pytest.mark.parametrize("checkpoint", PUBLIC_CHECKPOINTS.values(), ids=str)


@EVERY
def test_an_entry_is_consistent(checkpoint: PublicCheckpoint) -> None:
    library = checkpoint.name.partition("/")[0]
    host = "download.openmmlab.com" if library == "mmaction2" else "dl.fbaipublicfiles.com"
    assert checkpoint.url.startswith(f"https://{host}/")
    assert (checkpoint.mode == "scene") == (checkpoint.labels == "ava")
    unused = 1 if checkpoint.labels == "ava" and library == "mmaction2" else 0
    assert checkpoint.classes == LABEL_SETS[checkpoint.labels] + unused
    slow_frames = checkpoint.architecture.split("_x")[0].removesuffix("_ava").rpartition("_")[2]
    frames, distance = map(int, slow_frames.split("x"))
    alpha = checkpoint.clip_len // frames
    assert checkpoint.clip_len == frames * alpha
    assert checkpoint.frame_interval * alpha == distance
    assert alpha == 1 or checkpoint.architecture.startswith("slowfast")
    assert checkpoint.source.startswith("https://github.com/")
    assert 0 < checkpoint.least_mb * 1e6 < checkpoint.most_bytes < 2e9


def test_the_digits_of_mmaction2_are_those_of_the_file_names() -> None:
    digits = []
    for name, checkpoint in PUBLIC_CHECKPOINTS.items():
        if name.startswith("mmaction2/"):
            found = re.search(r"-([0-9a-f]{8})\.pth$", checkpoint.url)
            assert found is not None
            assert checkpoint.sha256 == found[1]
            assert "first 8 digits" in checkpoint.verification
            digits.append(found[1])
        else:
            assert checkpoint.sha256 is None
            assert "pinned" in checkpoint.verification
    assert len(set(digits)) == len(digits)


def test_names_addresses_and_files_differ(tmp_path: Path) -> None:
    checkpoints = PUBLIC_CHECKPOINTS.values()
    assert len({one.url for one in checkpoints}) == len(checkpoints)
    files = {one.file(tmp_path) for one in checkpoints}
    assert len(files) == len(checkpoints)
    named = PUBLIC_CHECKPOINTS["mmaction2/slowfast_r50_8x8_ava21"]
    assert named.file(tmp_path) == tmp_path / "recognizers/mmaction2/slowfast_r50_8x8_ava21.pth"
    dotted = PUBLIC_CHECKPOINTS["pyslowfast/SLOWFAST_32x2_R101_50_50_v2.1"]
    assert dotted.file(tmp_path).name == "SLOWFAST_32x2_R101_50_50_v2.1.pkl"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mmaction2/slowfast_r50_8x8_ava", "mmaction2/slowfast_r50_8x8_ava2"),
        ("slowfast_r50_8x8_ava21", "mmaction2/slowfast_r50_8x8_ava21"),
        ("pyslowfast/slowfast_8x8_r50", "pyslowfast/SLOWFAST_8x8_R50"),
        ("pytorchvideo/slowfast_r5", "pytorchvideo/slowfast_r50"),
    ],
)
def test_a_near_miss_names_what_was_meant(name: str, meant: str) -> None:
    assert looks_public(name)
    with pytest.raises(KeyError, match=f"is called {name}; did you mean {meant}"):
        find_public(name)


def test_a_name_of_a_library_that_is_near_nothing_refers_to_the_list() -> None:
    assert looks_public("mmaction2/tsn")
    with pytest.raises(KeyError, match="`recognizers list` shows them"):
        find_public("mmaction2/tsn")


@pytest.mark.parametrize("path", ["models/weights/slowfast_compact.safetensors", "mine.pth", "a/b"])
def test_a_path_is_no_name(path: str) -> None:
    assert not looks_public(path)


def test_the_documentation_has_the_same_table() -> None:
    page = (REPOSITORY / "docs/recognizers.md").read_text()
    rows = re.findall(
        r"^\| (\w+/\S+) \| (\d+) MB \| (\w+) \| (\w+) \| (.+) \| (.+) \|$", page, re.M
    )
    assert rows == [
        (
            one.name,
            str(one.least_mb),
            one.mode,
            one.labels,
            one.accuracy.removesuffix(", 10 clips x 3 crops"),
            "its first 8 digits" if one.sha256 else "pinned",
        )
        for one in PUBLIC_CHECKPOINTS.values()
    ]
    assert f"shows {len(rows)} of them" in (REPOSITORY / "README.md").read_text()
