"""The environment of processes that tests start."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOWHERE = Path(__file__).parent
"""A working directory without an `.env`; the project's own may have one."""
MEASURED = "COVERAGE_PROCESS_CONFIG"
"""Makes coverage measure the process too."""


def environment(*inherited: str, **variables: str) -> dict[str, str]:
    """The variables, the way to the code, and of the present environment no more than what is to be inherited."""
    known = {name: os.environ[name] for name in ("PATH", MEASURED, *inherited) if name in os.environ}
    return known | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"} | variables
