"""What the locks in `requirements/` say."""

import re
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import ROOT


def locked(lock: str) -> list[Requirement]:
    """The packages of a lock that are meant for this system and this Python."""
    return [package for package in everything_in(lock) if package.marker is None or package.marker.evaluate()]


def everything_in(lock: str) -> Iterator[Requirement]:
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines():
        if line[:1].isalnum():
            yield Requirement(line.removesuffix("\\"))


def version_of(pinned: Requirement) -> str:
    (specifier,) = pinned.specifier
    return specifier.version


def unused() -> set[str]:
    """What the Makefile leaves out of the lock of production."""
    [names] = re.findall(r"^UNUSED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {canonicalize_name(name) for name in names.split()}
