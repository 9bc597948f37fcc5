"""Each rule detects its violation."""

from collections.abc import Callable

import pytest

from tests.faults.record import Ask, Completion, Record, Work
from tests.faults.verdict import RULES, Found, Image, judge
from tests.simulation.violation import Violation

IMAGE, STYLE, USER = 7, 3, 1


def sound() -> tuple[Record, Found]:
    """One image, completed at the second attempt, in a trained style."""
    record = Record(
        asks=[Ask("ask-1", keyed=True, answered={IMAGE}, open=1), Ask("ask-2", keyed=False, refused=1)],
        styles={STYLE},
        comments={5},
        paid={"order-1"},
        works={
            Work("task-1", "image_generation", IMAGE, 1),
            Work("task-2", "image_generation", IMAGE, 2),
            Work("task-0", "model_training", STYLE, 1),
        },
        completions=[
            Completion("image_generation", IMAGE, "generations/7.png"),
            Completion("model_training", STYLE, "models/3"),
        ],
        results={(IMAGE, "generations/7.png")},
        balances={USER: 195},
        uses={STYLE: 1},
    )
    there = Found(
        images={IMAGE: Image("ask-1", STYLE, "completed", 2, "task-2", "generations/7.png")},
        styles={STYLE: ("completed", "models/3")},
        comments={5},
        paid={"order-1"},
        tasks={"task-0": ["put", "published"], "task-1": ["put", "published"], "task-2": ["put", "published"]},
        available={USER: 195},
    )
    return record, there


def an_unexpected_answer(record: Record, there: Found) -> None:
    record.wrong.append("POST /api/generations was answered 500")


def a_lost_image(record: Record, there: Found) -> None:
    there.images.clear()


def another_id(record: Record, there: Found) -> None:
    there.images[8] = there.images.pop(IMAGE)


def a_lost_style(record: Record, there: Found) -> None:
    there.styles.clear()


def a_lost_comment(record: Record, there: Found) -> None:
    there.comments.clear()


def a_lost_payment(record: Record, there: Found) -> None:
    there.paid.clear()


def two_images_for_a_key(record: Record, there: Found) -> None:
    there.images[8] = there.images[IMAGE]


def two_answers_for_a_key(record: Record, there: Found) -> None:
    record.asks[0].answered.add(8)
    there.images[8] = there.images[IMAGE]


def an_image_for_a_refusal(record: Record, there: Found) -> None:
    there.images[8] = Image("ask-2", STYLE, "failed", 1, "task-3", None)


def an_image_that_nobody_wanted(record: Record, there: Found) -> None:
    there.images[8] = Image("ask-3", STYLE, "failed", 1, "task-3", None)


def an_image_without_an_end(record: Record, there: Found) -> None:
    there.images[IMAGE].status = "processing"


def a_training_without_an_end(record: Record, there: Found) -> None:
    there.styles[STYLE] = ("training", None)


def a_task_left_in_the_outbox(record: Record, there: Found) -> None:
    there.outbox.append("task-3")


def a_task_that_counts_as_published_and_never_came(record: Record, there: Found) -> None:
    record.works.remove(Work("task-1", "image_generation", IMAGE, 1))


def a_task_that_was_put_and_never_left(record: Record, there: Found) -> None:
    there.tasks["task-3"] = ["put"]


def a_task_that_was_put_twice(record: Record, there: Found) -> None:
    there.tasks["task-1"] *= 2


def an_attempt_without_a_task(record: Record, there: Found) -> None:
    there.images[IMAGE].task_id = "task-3"


def a_task_that_was_never_put(record: Record, there: Found) -> None:
    del there.tasks["task-1"]


def a_task_for_an_image_that_is_not_there(record: Record, there: Found) -> None:
    record.works.add(Work("task-3", "image_generation", 8, 1))


def a_task_for_an_attempt_that_was_not_made(record: Record, there: Found) -> None:
    record.works.add(Work("task-3", "image_generation", IMAGE, 3))


def a_task_for_a_style_that_is_not_there(record: Record, there: Found) -> None:
    record.works.add(Work("task-3", "model_training", 8, 1))


def two_tasks_for_an_attempt(record: Record, there: Found) -> None:
    record.works.add(Work("task-3", "image_generation", IMAGE, 1))


def a_completion_applied_twice(record: Record, there: Found) -> None:
    record.completions.append(record.completions[0])


def another_result_than_the_one_applied(record: Record, there: Found) -> None:
    record.results.add((IMAGE, "generations/8.png"))
    there.images[IMAGE].result_key = "generations/8.png"


def another_model_than_the_one_applied(record: Record, there: Found) -> None:
    there.styles[STYLE] = ("completed", "models/8")


def a_result_from_nowhere(record: Record, there: Found) -> None:
    record.results.clear()


def a_like_too_many(record: Record, there: Found) -> None:
    there.miscounted.append("image 7 says that it has 2 likes")


def a_use_too_many(record: Record, there: Found) -> None:
    record.uses[STYLE] = 2


def a_token_too_many(record: Record, there: Found) -> None:
    record.balances[USER] += 1


BREAKS: dict[str, list[Callable[[Record, Found], None]]] = {
    "an answer is one of those that a fault excuses": [an_unexpected_answer],
    "what was answered with 201, or paid, is there": [
        a_lost_image,
        another_id,
        a_lost_style,
        a_lost_comment,
        a_lost_payment,
    ],
    "who asks once, or with a key, gets one image": [two_images_for_a_key, two_answers_for_a_key],
    "a refusal has done nothing": [an_image_for_a_refusal],
    "every image was asked for": [an_image_that_nobody_wanted],
    "everything has ended": [an_image_without_an_end, a_training_without_an_end, a_task_left_in_the_outbox],
    "every task was published": [
        a_task_that_counts_as_published_and_never_came,
        a_task_that_was_put_and_never_left,
        a_task_that_was_put_twice,
        an_attempt_without_a_task,
    ],
    "what was published is there, one task an attempt": [
        a_task_that_was_never_put,
        a_task_for_an_image_that_is_not_there,
        a_task_for_an_attempt_that_was_not_made,
        a_task_for_a_style_that_is_not_there,
        two_tasks_for_an_attempt,
    ],
    "a result is recorded once": [
        a_completion_applied_twice,
        another_result_than_the_one_applied,
        another_model_than_the_one_applied,
    ],
    "a result is one that an AI server has reported": [a_result_from_nowhere],
    "counters count": [a_like_too_many, a_use_too_many],
    "balances equal the sums of their transfers": [a_token_too_many],
}
CASES = [pytest.param(rule, damage, id=damage.__name__) for rule, found in BREAKS.items() for damage in found]


def test_a_correct_run_passes() -> None:
    judge(*sound())


def test_every_rule_has_a_break() -> None:
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize(("rule", "damage"), CASES)
def test_each_broken_rule_is_found(rule: str, damage: Callable[[Record, Found], None]) -> None:
    record, there = sound()
    damage(record, there)

    assert list(RULES[rule](record, there))
    with pytest.raises(Violation):
        judge(record, there)
