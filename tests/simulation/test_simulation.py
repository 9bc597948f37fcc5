"""A few histories, and proof that the simulator detects defects."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.artwork_uploads.create_version import CreateVersion
from core.community.delete_comment import DeleteComment
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import PostComment
from core.community.unlike_generation import UnlikeGeneration
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.request_generation import RequestGeneration
from core.generations.time_out_generations import TimeOutGenerations
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.request_refund import RequestRefund
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.takedowns.withdraw_style import WithdrawStyle
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.simulation.campaign import campaign
from tests.simulation.history import HistoryFailed, run
from tests.simulation.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
SEED = 7
ACTIONS: tuple[type[Any], ...] = (
    CompleteGeneration,
    FailGeneration,
    CancelGeneration,
    TimeOutGenerations,
    SettlePurchase,
    RequestRefund,
    RefundPurchase,
    RequestWithdrawal,
    SettleWithdrawal,
    FollowUser,
    LikeGeneration,
    UnlikeGeneration,
    PostComment,
    DeleteComment,
    DeleteAccount,
    WithdrawStyle,
    CreateVersion,
    EditGeneration,
)
TWICE: tuple[type[Any], ...] = (RequestGeneration, StartPurchase)


def test_every_invariant_holds_after_every_step() -> None:
    """Every use case answers somewhere in it. The seed decides that, so it does not depend on chance here; where the
    event loop decides, it would.
    """
    played = campaign(1, steps=120_000)

    answered = frozenset[str]().union(*(history.answered for history in played))
    assert {kind.__name__ for kind in ACTIONS} <= answered
    assert {f"{kind.__name__} again" for kind in TWICE} <= answered


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
