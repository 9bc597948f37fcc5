"""The latency of searches among 100,000 styles, one at a time."""

import asyncio
import http.client
import statistics
import time
from urllib.parse import urlencode

from benchmarks import catalogue
from benchmarks.stage import one_service
from benchmarks.table import table

TARGET = 0.020
"""Seconds."""
ROUNDS = 20

Taken = dict[str, list[float]]


def report() -> str:
    """The latency of each search and its target."""
    with one_service(lambda url: asyncio.run(catalogue.make(url))) as (_, service):
        taken = _ask(service.port)
    rows = [["", "median ms", "worst ms", f"target: < {TARGET * 1000:.0f} ms"]]
    for name, seconds in taken.items():
        median, worst = statistics.median(seconds), max(seconds)
        met = "met" if worst < TARGET else "met by the median only" if median < TARGET else "missed"
        rows.append([name, f"{median * 1000:.1f}", f"{worst * 1000:.1f}", met])
    return table(rows)


def _ask(port: int) -> Taken:
    """In rounds, so that other load is spread evenly; the first round is a warm-up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    paths = {
        **{name: f"/api/search?{urlencode({'q': query})}" for name, query in catalogue.QUERIES.items()},
        **{name: f"/api/tags?{urlencode({'search': text})}" for name, text in catalogue.TAGS.items()},
    }
    taken: Taken = {name: [] for name in paths}
    for number in range(ROUNDS + 1):
        for name, path in paths.items():
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if number:
                taken[name].append(time.perf_counter() - began)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body.decode()}")
    connection.close()
    return taken
