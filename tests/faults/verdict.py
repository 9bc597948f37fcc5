"""Compares the database at the end with all responses and reports."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.record import Record
from tests.simulation.violation import Violation

Fetch = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]

IMAGES = """
SELECT id, prompt_tags[1] AS marker, style_id, status, attempt, task_id::text, result_key FROM generations ORDER BY id
"""
STYLES = "SELECT id, training_status, model_path FROM style_versions ORDER BY id"
COMMENTS = "SELECT id FROM comments"
PAID = "SELECT order_id FROM purchases WHERE status = 'paid'"
OUTBOX = "SELECT task_id::text FROM outbox ORDER BY sequence"
WATCH = """
CREATE SCHEMA watch;
CREATE TABLE watch.tasks (number bigint GENERATED ALWAYS AS IDENTITY, task_id uuid NOT NULL, event text NOT NULL);

CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO watch.tasks (task_id, event) VALUES (new.task_id, 'put');
    ELSE
        INSERT INTO watch.tasks (task_id, event) VALUES (old.task_id, 'published');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER watch AFTER INSERT OR DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION watch.note();
"""
"""From now on the database records each change of a task in the transaction that makes it."""
TASKS = "SELECT task_id::text, array_agg(event ORDER BY number) AS events FROM watch.tasks GROUP BY task_id"
AVAILABLE = """
SELECT a.owner_id, coalesce(sum(CASE
    WHEN t.credit_account_id = a.id AND t.phase IN ('single', 'post') THEN t.amount
    WHEN t.debit_account_id = a.id AND t.phase IN ('single', 'hold') THEN -t.amount
    WHEN t.debit_account_id = a.id AND t.phase = 'void' THEN t.amount
    ELSE 0 END), 0)::int AS tokens
FROM accounts a LEFT JOIN transfers t ON a.id IN (t.credit_account_id, t.debit_account_id)
WHERE a.kind = 'wallet' GROUP BY a.owner_id
"""
"""By the transfers alone: a hold takes tokens, and only its void gives them back."""
MISCOUNTED = """
SELECT 'image ' || g.id || ' says that it has ' || g.like_count || ' likes and ' || g.comment_count || ' comments'
FROM generations g
WHERE g.like_count <> (SELECT count(*) FROM likes WHERE generation_id = g.id)
   OR g.comment_count <> (SELECT count(*) FROM comments WHERE generation_id = g.id)
"""


@dataclass(slots=True)
class Image:
    marker: str
    style_id: int
    status: str
    attempt: int
    task_id: str
    result_key: str | None


@dataclass(slots=True)
class Found:
    """The database's content."""

    images: dict[int, Image] = field(default_factory=dict)
    styles: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    """Status and model."""
    comments: set[int] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    outbox: list[str] = field(default_factory=list)
    tasks: dict[str, list[str]] = field(default_factory=dict)
    """Their status: `put`, then `published`."""
    available: dict[int, int] = field(default_factory=dict)
    miscounted: list[str] = field(default_factory=list)


async def found(fetch: Fetch) -> Found:
    return Found(
        images={row["id"]: Image(*list(row.values())[1:]) for row in await fetch(IMAGES)},
        styles={row["id"]: (row["training_status"], row["model_path"]) for row in await fetch(STYLES)},
        comments={row["id"] for row in await fetch(COMMENTS)},
        paid={row["order_id"] for row in await fetch(PAID)},
        outbox=[row["task_id"] for row in await fetch(OUTBOX)],
        tasks={row["task_id"]: row["events"] for row in await fetch(TASKS)},
        available={row["owner_id"]: row["tokens"] for row in await fetch(AVAILABLE)},
        miscounted=[next(iter(row.values())) for row in await fetch(MISCOUNTED)],
    )


def judge(record: Record, there: Found) -> None:
    """Raises Violation for the first rule that does not hold, with the first thing that breaks it."""
    for rule, offenders in RULES.items():
        if broken := list(offenders(record, there)):
            raise Violation(f"{rule}; but not here: {broken[0]} (and {len(broken) - 1} more)")


def _wrong(record: Record, _: Found) -> Iterator[object]:
    yield from record.wrong


def _acknowledged_but_missing(record: Record, there: Found) -> Iterator[object]:
    for ask in record.asks:
        yield from (f"{ask}, which is {there.images.get(id)}" for id in ask.answered if not _is(there, id, ask.marker))
    yield from (f"style {id}" for id in record.styles - there.styles.keys())
    yield from (f"comment {id}" for id in record.comments - there.comments)
    yield from (f"purchase {order_id} is not paid" for order_id in record.paid - there.paid)


def _is(there: Found, id: int, marker: str) -> bool:
    return id in there.images and there.images[id].marker == marker


def _doubled(record: Record, there: Found) -> Iterator[object]:
    made = Counter(image.marker for image in there.images.values())
    yield from (f"{made[ask.marker]} images of {ask}" for ask in record.asks if made[ask.marker] > 1)
    yield from (ask for ask in record.asks if len(ask.answered) > 1)


def _made_although_refused(record: Record, there: Found) -> Iterator[object]:
    made = {image.marker for image in there.images.values()}
    yield from (ask for ask in record.asks if ask.marker in made and ask.refused and not (ask.answered or ask.open))


def _without_source(record: Record, there: Found) -> Iterator[object]:
    asked = {ask.marker for ask in record.asks}
    yield from (f"image {id}: {image}" for id, image in there.images.items() if image.marker not in asked)


def _unended(_: Record, there: Found) -> Iterator[object]:
    ended = {"completed", "failed", "cancelled"}
    yield from (f"image {id}: {image}" for id, image in there.images.items() if image.status not in ended)
    yield from (f"style {id} is {status}" for id, (status, _) in there.styles.items() if status not in ended)
    yield from (f"task {task_id} is in the outbox" for task_id in there.outbox)


def _unpublished(record: Record, there: Found) -> Iterator[object]:
    came = {work.task_id for work in record.works}
    for task_id, events in there.tasks.items():
        if events == ["put", "published"]:
            if task_id not in came:
                yield f"task {task_id}, which counts as published, has not come"
        else:
            yield f"task {task_id}: {', '.join(events)}"
    yield from (f"image {id}: {image}" for id, image in there.images.items() if image.task_id not in there.tasks)


def _published_but_missing(record: Record, there: Found) -> Iterator[object]:
    for work in record.works:
        if work.kind == "model_training":
            known = work.subject in there.styles
        else:
            known = work.subject in there.images and work.attempt <= there.images[work.subject].attempt
        if not known or work.task_id not in there.tasks:
            yield work
    tasks = Counter((work.kind, work.subject, work.attempt) for work in record.works if work.kind == "image_generation")
    yield from (f"{number} tasks for {attempt}" for attempt, number in tasks.items() if number > 1)


def _recorded_twice(record: Record, there: Found) -> Iterator[object]:
    times = Counter((done.kind, done.subject) for done in record.completions)
    yield from (f"{number} times {subject}" for subject, number in times.items() if number > 1)
    for done in record.completions:
        if done.kind == "image_generation":
            image = there.images.get(done.subject)
            if image is None or (image.status, image.result_key) != ("completed", done.result):
                yield f"{done}, and {image}"
        elif there.styles.get(done.subject) != ("completed", done.result):
            yield f"{done}, and {there.styles.get(done.subject)}"


def _made_up(record: Record, there: Found) -> Iterator[object]:
    for id, image in there.images.items():
        if image.status == "completed" and (id, image.result_key) not in record.results:
            yield f"image {id}: {image}"


def _miscounted(record: Record, there: Found) -> Iterator[object]:
    yield from there.miscounted
    completed = Counter(image.style_id for image in there.images.values() if image.status == "completed")
    for style_id, uses in record.uses.items():
        if uses != completed[style_id]:
            yield f"style {style_id} says that it was used {uses} times, and {completed[style_id]} images are there"


def _misstated(record: Record, there: Found) -> Iterator[object]:
    for user_id, tokens in record.balances.items():
        if tokens != there.available.get(user_id):
            yield f"user {user_id} is shown {tokens} tokens and has {there.available.get(user_id)}"


RULES: dict[str, Callable[[Record, Found], Iterator[object]]] = {
    "an answer is one of those that a fault excuses": _wrong,
    "what was answered with 201, or paid, is there": _acknowledged_but_missing,
    "who asks once, or with a key, gets one image": _doubled,
    "a refusal has done nothing": _made_although_refused,
    "every image was asked for": _without_source,
    "everything has ended": _unended,
    "every task was published": _unpublished,
    "what was published is there, one task an attempt": _published_but_missing,
    "a result is recorded once": _recorded_twice,
    "a result is one that an AI server has reported": _made_up,
    "counters count": _miscounted,
    "balances equal the sums of their transfers": _misstated,
}
