"""All kinds of telemetry at once against one oracle: thousands of random histories, delivered late, twice, in pieces and
behind wrong clocks, while the engine looks at random moments.

In the end every slice of every SLO must say in every window what plain Python over the deliveries says (``oracle.py``), quantiles
lie within their stated error, and everything counted anew writes nothing. Histories are regions of one store, so a tick costs
as much for two thousand as for one. ``SLOENGINE_TEST_SEED`` repeats a run, ``SLOENGINE_ORACLE_HISTORIES`` says how many (2000);
``make soak`` runs 50,000 and asks whether the oracle notices each of the ways to break the engine in ``oracle_mutants.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from engine_rig import Rig
from oracle_histories import END, KINDS, MINUTE, MS, SECOND, History, World, count_of, draw, without, world_of
from oracle_mutants import MUTANTS, Mutant
from oracle_rig import Difference, Run, differences

from sloengine.store import client

AT_ONCE = 1000
HISTORIES = int(os.environ.get("SLOENGINE_ORACLE_HISTORIES", str(2 * AT_ONCE)))
SEED = int(os.environ.get("SLOENGINE_TEST_SEED", "1"))
ROUNDS_MAX = 8
BROKEN = 400
"""Histories that must show what is broken."""


def _tell(rigs: Callable[..., Rig], world: World, histories: Sequence[History]) -> tuple[Run, list[Difference]]:
    """A run of its own, and where it differs from the oracle."""
    run = Run(rigs(), world, histories)
    run.ticks(world.ticks)
    return run, differences(run)


def _smallest(rigs: Callable[..., Rig], world: World, history: History) -> str:
    """The history with as little in it as still shows a difference. Each round tries all pieces to leave out in one store."""
    found: list[Difference] = []
    for _ in range(ROUNDS_MAX):
        size = len(history.deliveries)
        cuts = {
            (lo, min(lo + step, size)) for step in (size // 2, size // 4, 2, 1) if step for lo in range(0, size, step)
        }
        tried = [history, *(without(history, n, *cut) for n, cut in enumerate(sorted(cuts), 1))]
        tried = [h for h in tried if h.deliveries]
        run, wrong = _tell(rigs, world, tried)
        run.rig.drop()
        failing = {d.history for d in wrong}
        if not failing:
            break
        best = min(failing, key=lambda n: len(tried[n].deliveries))
        found, history = [d for d in wrong if d.history == best], tried[best]
        if best == 0:
            break
    # Alone it may agree: then it is what the others did to it.
    return f"{history}\n{found[0] if found else 'agrees when it is alone'}"


def _report(rigs: Callable[..., Rig], world: World, histories: Sequence[History], wrong: Sequence[Difference]) -> str:
    first = min(wrong, key=lambda d: len(histories[d.history].deliveries))
    told = (
        f"{len({d.history for d in wrong})} of {len(histories)} histories differ, as number {first.history}:\n{first}"
    )
    return f"{told}\n{world}\nsmallest:\n{_smallest(rigs, world, histories[first.history])}"


@pytest.mark.parametrize("batch", range(-(-HISTORIES // AT_ONCE)))
def test_every_slice_and_window_is_what_brute_force_over_what_was_delivered_says(
    rigs: Callable[..., Rig], batch: int
) -> None:
    seed = SEED + batch
    world = world_of(seed)
    histories = draw(min(AT_ONCE, HISTORIES - batch * AT_ONCE), seed, world)
    print(f"seed {seed}: {len(histories)} histories, {count_of(histories)} deliveries")
    run, wrong = _tell(rigs, world, histories)
    assert not wrong, _report(rigs, world, histories, wrong)
    said, later = run.buckets(), END + MS
    run.forget()
    assert run.look(later) > 0
    # Everything once more in one tick: the same buckets, so nothing is written.
    assert run.written(later) == dict.fromkeys(said, 0)
    assert run.buckets() == said
    run.rig.drop()


AT_REST = [m for m in MUTANTS if not m.late]


@contextmanager
def _broken(mutant: Mutant) -> Iterator[None]:
    whole = client.statement
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "statement", lambda name: mutant.apply(name, whole(name)))
        yield


if "SLOENGINE_ORACLE_MUTANTS" in os.environ:

    @pytest.mark.parametrize("kind", sorted({m.kind for m in AT_REST}))
    def test_the_oracle_notices_when_the_engine_is_broken(rigs: Callable[..., Rig], kind: str) -> None:
        """Each mutant counts everything anew; what the engine itself counts afterwards is right again."""
        world = world_of(SEED)
        run, wrong = _tell(rigs, world, draw(BROKEN, SEED, world, (kind,)))
        assert not wrong, wrong[0]
        noticed = {}
        for second, mutant in enumerate([m for m in AT_REST if m.kind == kind], 1):
            run.forget()
            with _broken(mutant):
                run.look(END + second * SECOND)
            noticed[mutant.name] = len({d.history for d in differences(run)})
            print(f"seed {SEED}: {noticed[mutant.name]} of {BROKEN} histories differ if {mutant.name}", flush=True)
        run.forget()
        run.look(END + MINUTE)
        assert not differences(run)
        assert all(noticed.values()), noticed

    @pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.late], ids=lambda m: m.name)
    def test_the_oracle_notices_when_the_engine_forgets_what_came_late(
        rigs: Callable[..., Rig], mutant: Mutant
    ) -> None:
        world = world_of(SEED)
        with _broken(mutant):
            _, wrong = _tell(rigs, world, draw(BROKEN, SEED, world, (mutant.kind,), mutant.fixed))
        print(
            f"seed {SEED}: {len({d.history for d in wrong})} of {BROKEN} histories differ if {mutant.name}", flush=True
        )
        assert wrong


def test_each_way_to_break_the_engine_still_fits_its_sql() -> None:
    for mutant in MUTANTS:
        assert mutant.kind in KINDS
        for name in mutant.statements:
            assert mutant.apply(name, client.statement(name)) != client.statement(name)
