"""Abreast: what doesn't depend on each other, a few at a time. The store plans and sorts much of a statement in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 2
"""More would each hold a statement's memory."""


def abreast(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """What each of them gives, in their order. If some fail, all end and the first failure is raised: none goes on unwatched."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="abreast") as pool:
        begun = [pool.submit(job) for job in jobs]
    return [job.result() for job in begun]
