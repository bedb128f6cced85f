"""What an installation consists of: the lock, what an image takes of it, and the audit's report."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY
from tests.test_package import EXTRAS, PROJECT, pinned, requirements

LOCK = REPOSITORY / "requirements-lock.txt"
STALE = "run `make lock`"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_lock(text: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Requirement and hashes by name."""
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.partition(" --hash")[0])
            found[canonical(requirement.name)] = (requirement, re.findall(r"--hash=(\S+)", line))
    return found


@pytest.fixture(scope="module")
def locked() -> dict[str, tuple[Requirement, list[str]]]:
    return parse_lock(LOCK.read_text())


def test_the_lock_has_the_tested_versions(
    locked: dict[str, tuple[Requirement, list[str]]],
) -> None:
    for name, requirement in pinned().items():
        [specifier] = locked[canonical(name)][0].specifier
        assert requirement.specifier.contains(specifier.version), f"{requirement}: {STALE}"


def test_the_lock_is_in_the_ranges_of_every_extra(
    locked: dict[str, tuple[Requirement, list[str]]],
) -> None:
    texts = [*PROJECT["dependencies"], *(text for texts in EXTRAS.values() for text in texts)]
    for requirement in requirements(texts):
        [specifier] = locked[canonical(requirement.name)][0].specifier
        assert requirement.specifier.contains(specifier.version), f"{requirement}: {STALE}"


def test_the_lock_has_everything_that_is_needed_by_what_it_has(
    locked: dict[str, tuple[Requirement, list[str]]],
) -> None:
    """As far as it is installed here; on another system or Python other packages are."""
    missing = []
    for name, (locked_one, _) in locked.items():
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if distribution.version.partition("+")[0] not in locked_one.specifier:
            continue
        for text in distribution.requires or ():
            needed = Requirement(text)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and canonical(needed.name) not in locked:
                missing.append(f"{needed} of {name}")
    assert not missing, f"{missing}: {STALE}"


def test_every_locked_package_has_hashes_and_comes_from_no_named_place(
    locked: dict[str, tuple[Requirement, list[str]]],
) -> None:
    assert len(locked) > 80
    for name, (requirement, hashes) in locked.items():
        assert hashes, name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in hashes), name
        assert str(requirement.specifier).startswith("=="), name
    assert not re.search(r"://|--index|--find-links| @ ", LOCK.read_text())


def test_an_image_for_a_cpu_takes_all_but_torch_and_what_gpus_need(
    locked: dict[str, tuple[Requirement, list[str]]],
) -> None:
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text()
    [program] = re.findall(r"awk '([^']+)'", dockerfile)
    done = subprocess.run(["awk", program, LOCK], capture_output=True, text=True, check=True)
    left = parse_lock(done.stdout)
    dropped = locked.keys() - left.keys()
    assert {"torch", "torchvision", "triton", "nvidia-cublas", "cuda-bindings"} <= dropped
    gpu_alone = {name for name in dropped if name.startswith(("nvidia-", "cuda-", "tri", "torch"))}
    assert dropped == gpu_alone
    assert not [name for name in left if "cu13" in name]
    assert "nvidia-ml-py" in left  # ultralytics needs it everywhere
    assert all(left[name][1] == locked[name][1] for name in left)


def test_images_install_with_hashes_and_build_without_a_download() -> None:
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text()
    assert "--require-hashes -r lock.txt" in dockerfile
    assert "--no-build-isolation ." in dockerfile
    assert "hatchling" in parse_lock(LOCK.read_text())


def run_audit(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """The audit with a stand-in for pip-audit."""
    stand_in = folder / "pip-audit"
    stand_in.write_text(f"#!{sys.executable}\nimport json, sys\n{program}\n")
    stand_in.chmod(0o755)
    command = [sys.executable, str(REPOSITORY / "deploy/audit.py"), str(stand_in), str(LOCK)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def found(*packages: dict[str, Any]) -> str:
    return f"print({json.dumps(json.dumps({'dependencies': packages}))})"


GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {
    "name": "bad",
    "version": "2",
    "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3"]}, {"id": "X-2", "fix_versions": []}],
}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("program", "expected", "code"),
    [
        (found(GOOD), "audited 1 packages, 0 with known vulnerabilities\n", 0),
        (
            found(GOOD, BAD, UNKNOWN),
            "bad 2: CVE-2026-1, fixed in 3\nbad 2: X-2, fixed in no version\n"
            "audited 2 packages, 1 with known vulnerabilities; unknown to the index: unknown\n",
            1,
        ),
        (found(UNKNOWN), "not audited: the index knows nothing of the 1 packages\n", 0),
        ("sys.exit('a\\nno such host')", "not audited: no such host\n", 0),
        ("", "not audited: pip-audit printed nothing\n", 0),
        ("print('{}')", "not audited: pip-audit printed nothing\n", 0),
    ],
    ids=["good", "bad", "unknown", "no network", "nothing", "another format"],
)
def test_the_audit_reports_and_fails_for_a_vulnerability_alone(
    tmp_path: Path, program: str, expected: str, code: int
) -> None:
    done = run_audit(tmp_path, program)
    assert (done.stdout, done.returncode) == (expected, code), done.stderr


def test_the_audit_without_its_program_is_no_failure(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "deploy/audit.py"), str(tmp_path / "no"), str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("not audited: ")
    assert done.returncode == 0
