"""Writes the licences of the packages that production installs into `docs/licenses.md`, for `make licenses`."""

import subprocess
import sys

from tests.support.locks import locked
from tests.support.processes import ROOT

FILE = ROOT / "docs/licenses.md"
HEADER = """# Licences

Of the packages that production installs, as they say themselves; written by `make licenses`. `make sbom` lists their
versions and hashes.

"""


def render() -> str:
    packages = [package.name for package in locked("production")]
    command = [sys.executable, "-m", "piplicenses", "--no-version", "--format=markdown", "--packages", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return HEADER + done.stdout.strip() + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
