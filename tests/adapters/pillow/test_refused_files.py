import pytest

from adapters.pillow import refused_files
from adapters.pillow.refused_files import RefusedFiles


def test_a_refusal_is_remembered_for_a_while() -> None:
    time = 100.0
    files = RefusedFiles(now=lambda: time)
    files.add("a", "no image")
    assert (files.reason("a"), files.reason("b")) == ("no image", None)
    time += refused_files.KEPT_FOR - 1
    assert files.reason("a") == "no image"
    time += 1
    assert files.reason("a") is None


def test_the_oldest_refusals_are_evicted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_files, "MAX_KEPT", 2)
    files = RefusedFiles()
    for name in ("a", "b", "a", "c"):
        files.add(name, "no image")
    assert [files.reason(name) for name in "abc"] == ["no image", None, "no image"]
