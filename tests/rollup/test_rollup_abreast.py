"""What runs abreast ends whole, in order, and doesn't hide that some of it failed."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from sloengine.jobs.abreast import AT_ONCE, abreast


def test_answers_come_in_the_order_of_the_jobs_whichever_ends_first() -> None:
    second_ended = threading.Event()

    def first() -> str:
        assert second_ended.wait(10), "nothing ran beside it"
        return "first"

    def second() -> str:
        second_ended.set()
        return "second"

    assert abreast([first, second]) == ["first", "second"]


def test_the_first_failure_is_raised_when_all_others_have_ended() -> None:
    ended: list[int] = []

    def job(number: int) -> None:
        if number in (1, 2):
            raise ValueError(f"job {number}")
        ended.append(number)

    with pytest.raises(ValueError, match="job 1"):
        abreast(partial(job, number) for number in range(5))
    assert sorted(ended) == [0, 3, 4]


def test_no_more_run_at_once_than_the_store_s_memory_is_meant_for() -> None:
    turn, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(AT_ONCE)

    def job() -> None:
        nonlocal running, most
        with turn:
            running += 1
            most = max(most, running)
        together.wait(10)
        with turn:
            running -= 1

    abreast([job] * (3 * AT_ONCE))
    assert most == AT_ONCE
