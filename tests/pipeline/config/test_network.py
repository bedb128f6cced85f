from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.network import load_model_config
from pipeline.errors import ConfigError


def test_a_mistake_in_a_network_names_its_file_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("num_classes: 0\nmulti_label: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_model_config(path)
    first, *_ = str(caught.value).splitlines()
    assert first.startswith(f"{path}")
    assert str(caught.value).count(f"{path}, line 1: num_classes: should be greater than 0") == 1
    assert f"{path}: {path}" not in str(caught.value)
