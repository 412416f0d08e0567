"""Ask PyPI's advisories about the locked packages: make audit.

Ends with status 1 where a package has a known vulnerability, and with 0, saying so, where the advisories cannot be
reached. An advisory that does not concern qprobe is listed in requirements/advisories.txt, with the reason.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
LOCKS = ("ci.txt", "python.txt", "torch.txt", "audit.txt")
SECONDS = 300


def main() -> int:
    """Print the outcome and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="qprobe-audit-") as folder:
        answer, packages = Path(folder) / "audit.json", Path(folder) / "packages.txt"
        packages.write_text("\n".join(locked()), encoding="utf-8")
        try:
            done = subprocess.run(
                command(packages, answer), capture_output=True, text=True, check=False, timeout=SECONDS
            )
            reason = done.stderr.strip()
        except subprocess.TimeoutExpired:
            reason = f"could not connect within {SECONDS} seconds"
        text = answer.read_text(encoding="utf-8") if answer.is_file() else ""
    return report(json.loads(text)) if text else complain(reason)


def locked() -> list[str]:
    """Return the packages of all locks with their versions."""
    lines = [line for name in LOCKS for line in (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()]
    return sorted({line.split()[0] for line in lines if re.match(r"[A-Za-z0-9][^\s]*==", line)})


def command(packages: Path, answer: Path) -> list[str]:
    """Return the command of pip-audit, which installs nothing."""
    ignored = [word for name in ignored_advisories() for word in ("--ignore-vuln", name)]
    options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json", "--output", str(answer)]
    return [sys.executable, "-m", "pip_audit", "--requirement", str(packages), *ignored, *options]


def complain(reason: str) -> int:
    """Say why there is no answer; 0 where the advisories are out of reach, which is no fault of a package."""
    out_of_reach = re.search(
        r"connect|timed out|resolve|proxy|certificate|[45]\d\d (Server|Client) Error", reason, re.I
    )
    last = (reason or "no reason given").splitlines()[-1]
    print(f"The advisories could not be reached, so nothing was audited: {last}" if out_of_reach else last)
    return 0 if out_of_reach else 2


def report(answer: dict[str, Any]) -> int:
    """Print every vulnerability of pip-audit's answer; 1 where there is one."""
    found = [line for package in answer["dependencies"] for line in vulnerabilities(package)]
    skipped = [package["name"] for package in answer["dependencies"] if "skip_reason" in package]
    for line in found:
        print(line)
    if len(skipped) == len(answer["dependencies"]):
        print("The service of advisories knows none of the packages (a mirror may lack it), so nothing was audited.")
        return 0
    if skipped:
        print(f"Without an answer for: {', '.join(skipped)}.")
    print(f"{len(answer['dependencies'])} packages audited, {len(found)} known vulnerabilities.")
    return int(bool(found))


def ignored_advisories() -> list[str]:
    """Return the advisories of the list, without their reasons."""
    lines = (REQUIREMENTS / "advisories.txt").read_text(encoding="utf-8").splitlines()
    return [words[0] for line in lines if (words := line.partition("#")[0].split())]


def vulnerabilities(package: dict[str, Any]) -> list[str]:
    """Return a line for each vulnerability of a package of pip-audit's answer."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"fixed in {', '.join(found['fix_versions']) or 'no version yet'}"
        for found in package.get("vulns", [])
    ]


if __name__ == "__main__":
    sys.exit(main())
