"""A real browser: the one that is installed, or Debian's package."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_HELP = "No Chromium is to be had, and the console's tests need one: `apt-get install chromium`."
ANNOUNCEMENT = "Installing Debian's package chromium with apt-get (once): the console's tests need a real browser."
COMMANDS = (
    ["apt-get", "-q", "update"],
    ["apt-get", "-q", "install", "-y", "--no-install-recommends", "chromium"],
)


def executable() -> str:
    """The installed browser, after installing it if it can be. Raises RuntimeError with what helps."""
    if not _installed() and os.geteuid() == 0 and shutil.which("apt-get"):
        print(ANNOUNCEMENT, file=sys.__stderr__, flush=True)
        for command in COMMANDS:
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if run.returncode:
                raise RuntimeError(f"`{' '.join(command)}` failed:\n{run.stdout}{run.stderr}\n{HOW_TO_HELP}")
    if found := _installed():
        return found
    raise RuntimeError(HOW_TO_HELP)


def _installed() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        try:
            yield opened
        finally:
            await opened.close()
