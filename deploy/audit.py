"""Report the known vulnerabilities of locked packages, or why they are not known.

    python deploy/audit.py PIP_AUDIT LOCK

The exit code is 1 if there is a vulnerability. Without a network, or behind an index that has no
vulnerabilities, there is nothing to report: "not audited", with the reason, and 0. A package that
the service does not know is counted, because pip-audit alone would call it good.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LIMIT_S = 120  # for about a hundred requests; an index that does not answer must not hold up CI
ANSWER_LIMIT_S = 10


def audit(program: str, lock: str) -> int:
    """Print a line per vulnerability and one about the whole; return the exit code."""
    command = [program, "--requirement", lock, "--require-hashes", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(ANSWER_LIMIT_S)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)  # noqa: S603
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"not audited: no result within {LIMIT_S} s")
    except OSError as error:
        print(f"not audited: {program}: {error.strerror}")
    except (ValueError, KeyError):
        reason = done.stderr.strip().rpartition("\n")[2] or "pip-audit printed nothing"
        print(f"not audited: {reason[:300]}")
    else:
        return report(packages)
    return 0


def report(packages: list[dict[str, Any]]) -> int:
    """Print what pip-audit found; return the exit code."""
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    vulnerable = [one for one in packages if one.get("vulns")]
    for one in vulnerable:
        for found in one["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version"
            print(f"{one['name']} {one['version']}: {found['id']}, fixed in {fixed}")
    if len(skipped) == len(packages):
        print(f"not audited: the index knows nothing of the {len(packages)} packages")
        return 0
    unknown = f"; unknown to the index: {', '.join(skipped)}" if skipped else ""
    known = len(packages) - len(skipped)
    print(f"audited {known} packages, {len(vulnerable)} with known vulnerabilities{unknown}")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(audit(*sys.argv[1:]))
