"""What the import of a subscriber loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def modules_of_a_subscriber() -> Iterator[set[str]]:
    code = (
        "import pipeline.events, pipeline.subscriber.testing, sys; print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    yield {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("package", ["torch", "cv2", "numpy", "yaml", "ultralytics", "typer"])
def test_a_subscriber_needs_redis_and_pydantic_alone(
    package: str, modules_of_a_subscriber: set[str]
) -> None:
    assert package not in modules_of_a_subscriber
