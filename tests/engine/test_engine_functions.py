"""SQL functions against scipy, the oracle's figures and our own arithmetic, on the real engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_rig import BASE, Rig
from scipy import stats  # type: ignore[import-untyped]
from scipy.spatial import distance  # type: ignore[import-untyped]

from sloengine.config.settings import StoreSection
from sloengine.errors import StoreError
from sloengine.evaluate import histogram, interval
from sloengine.store import migrate as migrations
from sloengine.store.client import Store

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(SELECT .*?)\n```\n\n```text\n(.+?)\n```", PAGE, re.DOTALL)
NAMES = sorted(m.function for m in migrations.migrations() if m.function)

BEFORE, AFTER = [120, 230, 300, 200, 100, 50, 0], [60, 180, 310, 250, 130, 60, 10]
ORACLE = {
    "psi": 0.10474775516933,
    "ks": 0.11,
    "js_distance": 0.11283742887638,
    "hellinger": 0.11967320967497,
    "wasserstein": 0.35,
}


@pytest.fixture(scope="module")
def ask(module_rig: Rig) -> Callable[..., Any]:
    """ask(expression, **parameters): its value on the engine."""

    def value(expression: str, **parameters: object) -> Any:
        return module_rig.store.sql_rows(f"SELECT {expression} AS value", parameters)[0]["value"]

    return value


def histograms(seed: int) -> Iterator[tuple[list[float], list[float]]]:
    rng = np.random.default_rng(seed)
    for bins in (2, 7, 20, 64):
        for _ in range(5):
            sides = rng.poisson(rng.gamma(0.7, 30, (2, bins))).astype(float)
            if sides.sum(axis=1).all():
                yield sides[0].tolist(), sides[1].tolist()


@pytest.mark.parametrize("name", ORACLE)
def test_a_distance_is_the_oracles_and_the_same_from_both_sides(ask: Callable[..., Any], name: str) -> None:
    for a, b in ((BEFORE, AFTER), (AFTER, BEFORE)):
        assert ask(f"sloengine_{name}({{a:Array(Float64)}}, {{b:Array(Float64)}})", a=a, b=b) == pytest.approx(
            ORACLE[name], abs=1e-13
        )


def test_distances_agree_with_scipy_on_random_histograms(ask: Callable[..., Any]) -> None:
    both = "{a:Array(Float64)}, {b:Array(Float64)}"
    for a, b in histograms(20261128):
        p, q = np.array(a) / sum(a), np.array(b) / sum(b)
        places = np.cumsum(np.arange(1, len(a) + 1)) / 7
        found = ask(
            f"tuple(sloengine_js_distance({both}), sloengine_hellinger({both}), sloengine_wasserstein({both}),"
            f" sloengine_wasserstein_at({{x:Array(Float64)}}, {both}), sloengine_ks({both}), sloengine_psi({both}))",
            a=a,
            b=b,
            x=places.tolist(),
        )
        smooth_p, smooth_q = ((np.array(s) + 0.5) / (sum(s) + len(s) / 2) for s in (a, b))
        wanted = (
            distance.jensenshannon(p, q),
            distance.euclidean(np.sqrt(p), np.sqrt(q)) / np.sqrt(2),
            stats.wasserstein_distance(np.arange(len(a)), np.arange(len(a)), p, q),
            stats.wasserstein_distance(places, places, p, q),
            stats.ks_2samp(
                np.repeat(np.arange(len(a)), np.int64(a)), np.repeat(np.arange(len(b)), np.int64(b))
            ).statistic,
            stats.entropy(smooth_p, smooth_q) + stats.entropy(smooth_q, smooth_p),
        )
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_what_chance_makes_of_a_distance(ask: Callable[..., Any]) -> None:
    for d, n, m in (
        (0.001, 100, 100),
        (0.01, 30, 70),
        (0.2, 100, 100),
        (0.06, 1000, 1000),
        (0.15, 100, 10_000),
        (1, 9, 9),
    ):
        wanted = stats.kstwobign.sf(d * np.sqrt(n * m / (n + m)))
        assert ask("sloengine_ks_p({d:Float64}, {n:Float64}, {m:Float64})", d=d, n=n, m=m) == pytest.approx(
            wanted, abs=1e-12
        )
    assert ask("sloengine_ks_p(sloengine_ks([1, 1], [0, 0]), 2, 0)") is None
    rng = np.random.default_rng(5)
    share = np.full(10, 0.1)
    sides = [(rng.multinomial(4000, share), rng.multinomial(1000, share)) for _ in range(300)]
    pairs = ", ".join(f"tuple({list(map(int, a))}, {list(map(int, b))})" for a, b in sides)
    mean = ask(f"arrayAvg(arrayMap(s -> assumeNotNull(sloengine_psi(s.1, s.2)), [{pairs}]))")
    assert mean == pytest.approx(9 * (1 / 4000 + 1 / 1000), rel=0.1)
    assert ask(f"sloengine_psi_noise({list(map(int, sides[0][0]))}, {list(map(int, sides[0][1]))})") == pytest.approx(
        0.01125
    )


@pytest.mark.parametrize("name", [*ORACLE, "psi_noise"])
def test_of_nothing_there_is_no_distance_and_of_other_bins_an_error(ask: Callable[..., Any], name: str) -> None:
    assert ask(f"sloengine_{name}([0, 0], [1, 2])") is None
    assert ask(f"sloengine_{name}([1, 2], [0., 0.])") is None
    assert ask(f"sloengine_{name}(CAST([], 'Array(Float64)'), CAST([], 'Array(Float64)'))") is None
    if name != "psi_noise":
        with pytest.raises(StoreError, match="equal size"):
            ask(f"sloengine_{name}([1, 2], [1, 2, 3])")


@pytest.mark.parametrize(
    ("tracestate", "weight"),
    [
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c", 4),
        ("vendor=x,ot=rv:0123456789abcd;th:fd70a4", 1 / (1 - 0xFD70A4 / 16**6)),
        ("ot=th:ffffffffffffff", 2.0**56),
        ("", None),
        ("ot=th:", None),
        ("ot=th:fffffffffffffff", None),
        ("other=th:8", None),
    ],
)
def test_a_span_stands_for_as_many_as_its_threshold_says(
    ask: Callable[..., Any], tracestate: str, weight: float | None
) -> None:
    assert ask("sloengine_adjusted_count({t:String})", t=tracestate) == (weight and pytest.approx(weight, rel=1e-15))


def test_the_functions_weight_is_the_stored_column(module_rig: Rig) -> None:
    states = ["ot=th:8", "", "ot=th:fd7", "a=b,ot=th:1;rv:2"]
    module_rig.store.insert("otel_traces", ["Timestamp", "TraceState"], [[BASE, s] for s in states])
    rows = module_rig.store.sql_rows(
        "SELECT AdjustedCount AS a, sloengine_adjusted_count(TraceState) AS b FROM otel_traces"
    )
    assert len(rows) == 4
    assert all(row["a"] == row["b"] for row in rows)


def _columns(buckets: dict[int, float]) -> str:
    return f"mapFromArrays({list(buckets)}::Array(Int32), {list(map(float, buckets.values()))}::Array(Float64))"


def test_quantiles_of_exponential_buckets_are_the_engines_own_and_within_the_error(ask: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    values = rng.lognormal(-2, 1.5, 5000)
    for scale in (0, 3, 6):
        buckets: dict[int, float] = {}
        for index in (np.ceil(np.log2(values) * 2.0**scale) - 1).astype(int).tolist():
            buckets[index] = buckets.get(index, 0) + 1
        for zero in (0, 600):
            for q in (0, 0.05, 0.5, 0.99, 1):
                found = ask(f"sloengine_exp_quantile({q}, {scale}, {zero}, {_columns(buckets)})")
                assert found == pytest.approx(histogram.quantile(scale, zero, buckets, q), rel=1e-12)
                raw = np.quantile(np.append(values, np.zeros(zero)), q, method="inverted_cdf")
                assert abs(found - raw) <= raw * ask(f"sloengine_exp_error({scale})") * (1 + 1e-9)
        assert ask(f"sloengine_exp_error({scale})") == pytest.approx(histogram.relative_error(scale), rel=1e-12)
    assert ask("sloengine_exp_quantile(0.5, 6, 0, map(1::Int32, 0.))") is None


def test_buckets_of_two_scales_merge_exactly(ask: Callable[..., Any]) -> None:
    fine, coarse = {-9: 1.0, -8: 2.0, -1: 4.0, 0: 8.0, 7: 16.0}, {-2: 32.0, 0: 64.0}
    wanted = histogram.merge([(5, 0, fine), (3, 0, coarse)])[2]
    rows = f"[tuple(5, {_columns(fine)}), tuple(3, {_columns(coarse)})]"
    found = ask(f"(SELECT sumMap(sloengine_exp_downscale(r.2, r.1 - 3)) FROM (SELECT arrayJoin({rows}) AS r))")
    assert found == wanted
    assert ask(f"sloengine_exp_downscale({_columns(fine)}, 0)") == fine


@pytest.mark.parametrize(
    ("q", "bounds", "counts", "wanted"),
    [
        (0.5, [1, 2, 4], [0, 10, 10, 0], 2),
        (0.75, [1, 2, 4], [0, 10, 10, 0], 3),
        (0.25, [1, 2, 4], [10, 0, 0, 0], 0.25),
        (0, [1, 2, 4], [0, 10, 10, 0], 1),
        (0.99, [1, 2, 4], [0, 10, 10, 10], 4),
        (0.1, [0, 2, 4], [10, 10, 0, 0], 0),
        (0.5, [1, 2, 4], [0, 0, 0, 0], None),
    ],
)
def test_quantiles_of_explicit_buckets(
    ask: Callable[..., Any], q: float, bounds: Sequence[float], counts: Sequence[float], wanted: float | None
) -> None:
    found = ask(
        "sloengine_bounds_quantile({q:Float64}, {b:Array(Float64)}, {c:Array(Float64)})", q=q, b=bounds, c=counts
    )
    assert found == (None if wanted is None else pytest.approx(wanted))


def test_intervals_and_budgets(ask: Callable[..., Any]) -> None:
    for good, total in ((0, 0), (0, 10), (7, 10), (10, 10), (999, 1000), (2.5, 7.25)):
        found = ask(f"sloengine_wilson({good}, {total}, {stats.norm.ppf(0.975)})")
        wanted = interval.wilson(good / total if total else 0, total)
        assert tuple(found.values() if isinstance(found, dict) else found) == pytest.approx(
            (wanted.low, wanted.high), abs=1e-12
        )
    assert ask("sloengine_burn_rate(144, 10000, 0.999)") == pytest.approx(14.4)
    assert ask("sloengine_budget_remaining(4, 10000, 0.999)") == pytest.approx(0.6)
    assert ask("sloengine_budget_remaining(20, 10000, 0.999)") == pytest.approx(-1)
    for name in ("burn_rate", "budget_remaining"):
        assert ask(f"sloengine_{name}(0, 0, 0.999)") is None
        assert ask(f"sloengine_{name}(1, 10, 1)") is None


def test_columns_of_the_callers_are_never_taken_for_inner_variables(module_rig: Rig) -> None:
    """A lambda's variable hides a column of its name: a query over columns a, b, k, v, p, q must not find out."""
    row = module_rig.store.sql_rows(
        "SELECT sloengine_psi(p, q) AS psi, sloengine_psi([k, v], [v, k]) AS other"
        " FROM (SELECT [1., 9.] AS p, [9., 1.] AS q, 1 AS k, 9 AS v)"
    )[0]
    assert row["psi"] == row["other"] > 1


# --- where functions live


def test_every_function_has_the_prefix_and_is_on_the_page_with_an_example() -> None:
    assert NAMES and all(name.startswith("sloengine_") for name in NAMES)
    told = set(re.findall(r"^\| `(sloengine_\w+)\(", PAGE, re.MULTILINE))
    assert told == set(NAMES)
    used = {name for sql, _ in EXAMPLES for name in re.findall(r"\bsloengine_\w+(?=\()", sql)}
    assert sorted(set(NAMES) - used) == []


@pytest.mark.parametrize(("sql", "answer"), EXAMPLES)
def test_a_documented_example_answers_what_the_page_says(module_rig: Rig, sql: str, answer: str) -> None:
    body = module_rig.store._call(lambda client: client.raw_query(sql, fmt="TSV"))
    assert body.decode().strip() == answer


def test_functions_outlive_the_store_serve_every_database_and_come_back_when_they_are_missing(
    own_store: Callable[..., Any],
) -> None:
    process, url = own_store()
    first, second = (StoreSection(url=url, database=name) for name in ("one", "two"))
    migrations.migrate(first)
    store = Store(first)
    store.command("DROP FUNCTION sloengine_ks")
    store.command("DROP FUNCTION sloengine_adjusted_count")
    assert migrations.migrate(first) == []
    store.close()
    process.kill()
    process.wait(30)
    _, url = own_store()
    store = Store(StoreSection(url=url, database="default"))
    assert store.sql_rows("SELECT sloengine_ks([1, 3], [3, 1]) AS d")[0]["d"] == 0.5
    assert store.sql_rows("SELECT sloengine_adjusted_count('ot=th:8') AS w")[0]["w"] == 2
    assert len(migrations.migrate(second.model_copy(update={"url": url}))) == len(migrations.migrations())
    store.close()
