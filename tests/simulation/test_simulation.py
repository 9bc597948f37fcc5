"""A few histories, and proof that the simulator detects defects."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaign import campaign
from tests.simulation.history import HistoryFailed, run
from tests.simulation.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
SEED = 7
LIVELY = 23
"""Its histories have many images and purchases."""


def test_every_invariant_holds_after_every_step() -> None:
    played = list(campaign(LIVELY, steps=20_000))

    assert sum(history.images for history in played) > 40
    assert sum(history.purchases for history in played) > 20


def test_a_seed_determines_the_history() -> None:
    program = "from tests.simulation.history import run; print(run(7, steps=800).digest)"
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
        text=True,
    )

    assert elsewhere.stdout.strip() == run(7, steps=800).digest
    assert run(8, steps=800).digest != run(7, steps=800).digest


@pytest.mark.parametrize("name", MUTANTS)
def test_a_missing_safeguard_is_found(name: str) -> None:
    with pytest.raises(HistoryFailed):
        list(campaign(SEED, steps=300_000, mutant=MUTANTS[name]))


def test_a_broken_history_is_replayed_by_its_seed() -> None:
    with pytest.raises(HistoryFailed) as first:
        list(campaign(SEED, steps=100_000, mutant=MUTANTS["no-unique-resolution"]))

    with pytest.raises(HistoryFailed) as again:
        run(first.value.seed, steps=first.value.steps, mutant=MUTANTS["no-unique-resolution"])

    assert str(again.value) == str(first.value)
    assert str(first.value.step) in str(first.value).splitlines()[-1]


def test_the_command_reports_its_speed() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "3", "--steps", "500"]
    played = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )

    assert "from seed 3 on" in played.stdout
    assert "every invariant holds" in played.stdout
    assert "steps a minute" in played.stdout
