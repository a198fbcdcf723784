"""A drift monitor's looks over a real store: what is read, compared and stored, against plain sums over the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from drift_rig import BOUNDS, CALM, METRIC, MOVED, SERVICE, Device, Hours
from engine_rig import Rig

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.judge import Verdict
from sloengine.jobs import drift_read
from sloengine.jobs.drift_baselines import REFUSED, Made, make
from sloengine.jobs.drift_look import look, write
from sloengine.monitor import Against, DriftMonitor

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
BEGIN = NOW - 48 * HOUR
"""Of two days of baseline, before the hour that is looked at."""
MONITOR = DriftMonitor("scores", SERVICE, METRIC, segments=("segment",))
FLEET = [
    Device(f"node-{n}", version=str(1 + n % 2), region=("eu", "us")[n % 4 // 2], gateway=f"gw-{n % 3}", segment=segment)
    for n in range(8)
    for segment in ("large", "small")
]


def fill(hours: Hours, dice: np.random.Generator, *, per_hour: int = 60, fleet: list[Device] = FLEET) -> None:
    for h in range(48):
        for device in fleet:
            hours.explicit(device, BEGIN + h * HOUR, dice.multinomial(per_hour, CALM))
    hours.flush()


def baseline(rig: Rig, monitor: DriftMonitor = MONITOR, kind: str = "trailing", **more: Any) -> Any:
    return make(rig.store, monitor, Made(kind, (BEGIN, NOW), **more), NOW)


def verdicts(rig: Rig) -> dict[tuple[str, ...], dict[str, Any]]:
    rows = rig.rows(
        "SELECT * FROM (SELECT * FROM drift_verdicts FINAL) AS v LEFT JOIN (SELECT * FROM drift_series FINAL) AS s"
        " ON v.Monitor = s.Monitor AND v.SeriesId = s.SeriesId"
    )
    names = ("Level", "ModelName", "ModelVersion", "Region", "DeviceId", "Value")
    return {tuple(r[n] for n in names): r for r in rows}


def look_and_write(
    rig: Rig, monitor: DriftMonitor = MONITOR, end: datetime = NOW + HOUR
) -> dict[tuple[str, ...], dict[str, Any]]:
    found = look(rig.store, monitor, end)
    assert found is not None
    write(rig.store, found, 1)
    return verdicts(rig)


def test_every_level_holds_the_sums_of_its_devices(rig: Rig) -> None:
    dice, hours = np.random.default_rng(1), Hours(rig.store)
    fill(hours, dice)
    now = {device: dice.multinomial(200, MOVED if device.region == "us" else CALM) for device in FLEET}
    for device, counts in now.items():
        hours.explicit(device, NOW, counts)
    hours.flush()
    version = baseline(rig)
    assert version.quality == "good"
    found = look_and_write(rig)
    past = np.zeros(len(BOUNDS) + 1)
    # From raw rows, added up by name: nothing of the engine's.
    rows = rig.rows("SELECT * FROM histogram_hours")

    def total(**names: str) -> tuple[np.ndarray, np.ndarray]:
        own = [r for r in rows if all(r[k] == v or (k == "Attributes" and v in r[k]) for k, v in names.items())]
        before = sum((np.array(r["Counts"]) for r in own if r["Hour"] < NOW), start=past * 0)
        return before, sum((np.array(r["Counts"]) for r in own if r["Hour"] >= NOW), start=past * 0)

    expected = {("model", "m", "", "", "", ""): total()}
    for v in ("1", "2"):
        expected["version", "m", v, "", "", ""] = total(ModelVersion=v)
        for r in ("eu", "us"):
            expected["region", "m", v, r, "", ""] = total(ModelVersion=v, Region=r)
        for s in ("large", "small"):
            expected["segment", "m", v, "", "", s] = total(ModelVersion=v, Attributes=s)
    for device in FLEET:
        expected["device", "m", device.version, device.region, device.name, ""] = total(DeviceId=device.name)
    assert set(found) == set(expected)
    for names, (before, after) in expected.items():
        row = found[names]
        assert (row["M"], row["N"]) == (before.sum(), after.sum())
        assert row["Psi"] == pytest.approx(float(indices.psi(before, after)), rel=1e-12)
        assert row["Ks"] == pytest.approx(float(indices.ks(before, after)), rel=1e-12)
        assert (row["Unplaced"], row["Above"]) == (0, pytest.approx(after[-1] / after.sum()))
        assert row["BaselineVersion"] == version.number
    drifted = {names for names, row in found.items() if row["Verdict"] == "suspected"}
    assert {names for names in drifted if names[0] == "region"} == {
        ("region", "m", v, "us", "", "") for v in ("1", "2")
    }
    assert not [names for names in drifted if names[3] == "eu"]


def test_a_second_look_at_the_same_hour_writes_nothing(rig: Rig) -> None:
    dice, hours = np.random.default_rng(2), Hours(rig.store)
    fill(hours, dice)
    for device in FLEET:
        hours.explicit(device, NOW, dice.multinomial(200, CALM))
    hours.flush()
    baseline(rig)
    first = look(rig.store, MONITOR, NOW + HOUR)
    assert first is not None
    assert write(rig.store, first, 1) == len(first.compared.ids) > 0
    again = look(rig.store, MONITOR, NOW + HOUR)
    assert again is not None
    assert write(rig.store, again, 2) == 0
    hours.revision = 2
    hours.explicit(FLEET[0], NOW, dice.multinomial(300, CALM))
    hours.flush()
    late = look(rig.store, MONITOR, NOW + HOUR)
    assert late is not None
    # The late device, and whatever it is part of: its region, its version, its segment, the model; q of others depends on it.
    assert 5 <= write(rig.store, late, 3) <= len(late.compared.ids)


def test_drift_is_drift_once_it_was_found_in_two_of_three_looks_and_calm_ends_it(rig: Rig) -> None:
    dice, hours = np.random.default_rng(3), Hours(rig.store)
    fill(hours, dice)
    shares = [CALM, MOVED, CALM, MOVED, CALM, CALM, CALM]
    for h, p in enumerate(shares):
        for device in FLEET:
            hours.explicit(device, NOW + h * HOUR, dice.multinomial(400, p))
    hours.flush()
    baseline(rig)
    said = []
    for h in range(len(shares)):
        look_and_write(rig, end=NOW + (h + 1) * HOUR)
        rows = rig.rows(
            f"SELECT Verdict FROM drift_verdicts FINAL JOIN drift_series USING (Monitor, SeriesId)"
            f" WHERE Level = 'model' AND WindowEnd = '{NOW + (h + 1) * HOUR:%Y-%m-%d %H:%M:%S}'"
        )
        said.append(rows[0]["Verdict"])
    assert said == ["no_drift", "suspected", "no_drift", "drift", "no_drift", "no_drift", "no_drift"]


def test_blocks_of_devices_say_what_one_block_says(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    dice, hours = np.random.default_rng(4), Hours(rig.store)
    fill(hours, dice)
    for device in FLEET:
        hours.explicit(device, NOW, dice.multinomial(200, MOVED if device.name == "node-3" else CALM))
    hours.flush()
    baseline(rig)
    whole = look(rig.store, MONITOR, NOW + HOUR)
    monkeypatch.setattr(drift_read, "BLOCK", 5)
    other = replace(MONITOR, name="scores-2")
    parts = baseline(rig, replace(MONITOR))
    blocks = look(rig.store, MONITOR, NOW + HOUR)
    assert whole is not None
    assert blocks is not None
    assert other.name != MONITOR.name
    assert (blocks.compared.ids == whole.compared.ids).all()
    assert np.array_equal(blocks.compared.readings.p, whole.compared.readings.p, equal_nan=True)
    assert (blocks.judged.verdicts == whole.judged.verdicts).all()
    assert parts.series == len(whole.compared.ids)
    rows = rig.rows("SELECT Version, Checksum, Series FROM drift_baseline_versions FINAL")
    assert {r["Series"] for r in rows} == {len(whole.compared.ids)}


def test_a_forged_device_is_named_and_changes_nothing_for_others(rig: Rig) -> None:
    dice, hours = np.random.default_rng(5), Hours(rig.store)
    fill(hours, dice)
    for device in FLEET:
        hours.explicit(device, NOW, dice.multinomial(200, CALM))
    hours.flush()
    baseline(rig)
    honest = look_and_write(rig)
    forger = replace(FLEET[0], name="node-0", segment="large")
    hours.revision = 2
    hours.explicit(forger, NOW, 1e6 * 200 * MOVED)
    hours.flush()
    found = look_and_write(rig)
    key = ("device", "m", "1", "eu", "node-0", "")
    assert found[key]["Verdict"] == "implausible"
    for names, row in found.items():
        if names != key:
            # What it is left out of has a few events less to be sure of.
            assert row["Verdict"] in (honest[names]["Verdict"], "not_enough_data"), names
    assert found["model", "m", "", "", "", ""]["N"] == honest["model", "m", "", "", "", ""]["N"] - 400


def test_silence_new_series_and_other_bins_have_verdicts_of_their_own(rig: Rig) -> None:
    dice, hours = np.random.default_rng(6), Hours(rig.store)
    fill(hours, dice)
    silent, rebinned, quiet = "node-2", "node-4", "node-6"
    for device in FLEET:
        if device.name == rebinned:
            hours.explicit(device, NOW, [100, 100, 100], bounds=(0.25, 0.55))
        elif device.name == quiet:
            hours.explicit(device, NOW, dice.multinomial(2, CALM))
        elif device.name != silent:
            hours.explicit(device, NOW, dice.multinomial(4000, CALM))
    hours.explicit(Device("node-new"), NOW, dice.multinomial(200, CALM))
    hours.flush()
    baseline(rig)
    by_device = {names[4]: row["Verdict"] for names, row in look_and_write(rig).items() if names[0] == "device"}
    assert by_device[silent] == "stale"
    assert by_device[rebinned] == "refused"
    assert by_device[quiet] == "not_enough_data"
    assert by_device["node-new"] == "no_baseline"
    assert by_device["node-1"] == "no_drift"


def test_exponential_histograms_of_several_scales_are_compared_at_the_pinned_one(rig: Rig) -> None:
    dice, hours = np.random.default_rng(7), Hours(rig.store)
    monitor = replace(MONITOR, levels=("model",), segments=())

    def put(at: datetime, scale: int, mean: float, n: int = 500) -> np.ndarray:
        values = dice.lognormal(mean, 0.5, size=n)
        found = np.ceil(np.log2(values) * 2.0**scale).astype(int) - 1
        low = int(found.min())
        hours.exponential(Device(), at, scale, (low, np.bincount(found - low).astype(float).tolist()), zero=3.0)
        return values

    for h in range(48):
        put(BEGIN + h * HOUR, 3 + h % 2, 0.0)
    put(NOW, 5, 0.0, n=3000)
    put(NOW + HOUR, 6, 0.7, n=3000)
    hours.flush()
    version = make(rig.store, monitor, Made("trailing", (BEGIN, NOW)), NOW)
    assert version.quality == "good"
    calm, moved = (look(rig.store, monitor, NOW + h * HOUR) for h in (1, 2))
    assert calm is not None
    assert moved is not None
    assert calm.judged.verdicts.tolist() == [Verdict.NO_DRIFT]
    assert moved.judged.verdicts.tolist() == [Verdict.SUSPECTED]
    assert calm.compared.readings.n.tolist() == [3003]
    # KS of two log-normals that are 0.7 apart: 2Φ(0.35 / 0.5) - 1 = 0.516.
    assert moved.compared.readings.values["ks"][0] == pytest.approx(0.516, abs=0.05)


def test_a_control_group_is_the_other_versions_of_the_same_place(rig: Rig) -> None:
    dice, hours = np.random.default_rng(8), Hours(rig.store)
    fill(hours, dice)
    # The world has moved, and version 2 in the us more than it.
    now: dict[Device, np.ndarray] = {}
    for device in FLEET:
        canary = device.version == "2" and device.region == "us"
        now[device] = dice.multinomial(1500, CALM[::-1] if canary else MOVED)
        hours.explicit(device, NOW, now[device])
    hours.flush()
    control = replace(MONITOR, against=Against.CONTROL)
    baseline(rig, control)
    found = look_and_write(rig, control)
    rest = sum(c for d, c in now.items() if d.version == "1" and d.region == "us")
    own = sum(c for d, c in now.items() if d.version == "2" and d.region == "us")
    row = found["region", "m", "2", "us", "", ""]
    assert (row["M"], row["Psi"]) == (rest.sum(), pytest.approx(float(indices.psi(rest, own))))
    assert row["Verdict"] == "suspected"
    assert found["region", "m", "1", "eu", "", ""]["Verdict"] == "no_drift"
    assert found["model", "m", "", "", "", ""]["Verdict"] == "no_baseline"
    assert not [names for names in found if names[0] == "device"]


def test_the_same_hours_last_week_are_read_from_there(rig: Rig) -> None:
    dice, hours = np.random.default_rng(9), Hours(rig.store)
    fill(hours, dice)
    week = timedelta(days=7)
    for device in FLEET:
        hours.explicit(device, NOW - week, dice.multinomial(300, MOVED))
        hours.explicit(device, NOW, dice.multinomial(300, MOVED))
    hours.flush()
    own = replace(MONITOR, against=Against.LAST_WEEK)
    baseline(rig, own)
    found = look_and_write(rig, own)
    assert found["model", "m", "", "", "", ""]["M"] == 300 * len(FLEET)
    assert {row["Verdict"] for row in found.values()} <= {"no_drift", "not_enough_data"}


def test_a_previous_version_stands_for_the_next(rig: Rig) -> None:
    dice, hours = np.random.default_rng(10), Hours(rig.store)
    old = [replace(device, version="1") for device in FLEET]
    fill(hours, dice, fleet=old)
    for device in old:
        hours.explicit(replace(device, version="2"), NOW, dice.multinomial(400, MOVED))
    hours.flush()
    own = replace(MONITOR, against=Against.PREVIOUS)
    baseline(rig, own, "previous-version", stands_for={("m", "1"): "2"})
    found = look_and_write(rig, own)
    assert found["version", "m", "2", "", "", ""]["Verdict"] == "suspected"
    assert found["version", "m", "2", "", "", ""]["M"] == 48 * 60 * len(FLEET)
    assert ("version", "m", "1", "", "", "") not in found


@pytest.mark.parametrize(
    ("hours", "per_hour", "why"), [(5, 1000, "24 are needed"), (48, 1, "1000 are needed"), (0, 1, "hold nothing")]
)
def test_a_baseline_that_is_none_is_refused_with_the_reason(rig: Rig, hours: int, per_hour: int, why: str) -> None:
    own, dice = Hours(rig.store), np.random.default_rng(11)
    for h in range(hours):
        own.explicit(Device(), NOW - (h + 1) * HOUR, dice.multinomial(per_hour, CALM))
    own.flush()
    version = baseline(rig)
    assert version.quality == REFUSED
    assert why in version.doubts
    assert look(rig.store, MONITOR, NOW + HOUR) is None


def test_a_baseline_whose_halves_differ_is_marked(rig: Rig) -> None:
    own, dice = Hours(rig.store), np.random.default_rng(12)
    for h in range(48):
        own.explicit(Device(), BEGIN + h * HOUR, dice.multinomial(300, CALM if h < 24 else MOVED))
    own.flush()
    version = baseline(rig)
    assert version.quality == "dubious"
    assert "halves differ by a PSI of" in version.doubts


def test_hours_that_vary_more_than_chance_are_given_room(rigs: Callable[..., Rig]) -> None:
    """The same shares, but drawn anew for each hour around the same mean: what a plain test would call drift every other hour."""
    rig, dice = rigs(), np.random.default_rng(13)
    own = Hours(rig.store)
    monitor = replace(MONITOR, levels=("model",), segments=(), minimum=0.01)
    for h in range(48 + 60):
        own.explicit(Device(), BEGIN + h * HOUR, dice.multinomial(2000, dice.dirichlet(CALM * 400)))
    own.flush()
    baseline(rig, monitor)
    looks = [look(rig.store, monitor, NOW + (h + 1) * HOUR) for h in range(60)]
    spoken = {Verdict.DRIFT, Verdict.SUSPECTED, Verdict.SLOW_DRIFT}
    assert all(found is not None and found.judged.verdicts[0] not in spoken for found in looks)
    inflation = looks[0].compared.readings.inflation[0]  # type: ignore[union-attr]
    # Of n events from a Dirichlet of concentration a: (n + a) / (1 + a).
    assert inflation == pytest.approx(2400 / 401, rel=0.15)
    plain = [float(found.compared.readings.values["chi2"][0]) for found in looks if found is not None]
    assert np.mean(np.array(plain) > 30) > 0.5


def test_what_has_lost_most_of_its_devices_is_stale_and_not_judged_by_the_rest(rig: Rig) -> None:
    """A gateway falls silent: the one device left in its region is unlike the others, and always was."""
    dice, hours, own = np.random.default_rng(21), Hours(rig.store), "us-3"
    fleet = [Device(f"{region}-{n}", region=region) for region in ("eu", "us") for n in range(4)]

    def hour(at: datetime, silent: tuple[str, ...] = (), updated: tuple[str, ...] = ()) -> None:
        for device in fleet:
            if device.name not in silent:
                version = "2" if device.name in updated else "1"
                shares = MOVED if device.name == own else CALM
                hours.explicit(replace(device, version=version), at, dice.multinomial(400, shares))
        hours.flush()

    for h in range(49):
        hour(BEGIN + h * HOUR)
    monitor = replace(MONITOR, segments=(), persistence=(1, 1))
    baseline(rig, monitor)
    look_and_write(rig, monitor)
    hour(NOW + HOUR, silent=("us-0", "us-1", "us-2"))
    hour(NOW + 2 * HOUR, silent=("us-0", "us-1"))
    hour(NOW + 3 * HOUR, updated=("us-0", "us-1", "us-2"))

    def said(end: datetime) -> dict[str, str]:
        found = look(rig.store, monitor, end)
        assert found is not None
        write(rig.store, found, 2)
        rows = rig.rows(
            f"SELECT * FROM drift_by_series WHERE WindowEnd = '{end:%Y-%m-%d %H:%M:%S}' AND ModelVersion IN ('', '1')"
        )
        return {r["DeviceId"] or r["Region"] or r["Level"]: r["Verdict"] for r in rows}

    first = said(NOW + 2 * HOUR)
    assert (first["us"], first["eu"], first["us-0"]) == ("stale", "no_drift", "stale")
    # The device itself is as it always was.
    assert first[own] in {"no_drift", "not_enough_data"}
    # Of the model five of eight are left, and of the version.
    assert first["version"] == first["model"] != "stale"
    # Half of them is enough: then it is judged.
    assert said(NOW + 3 * HOUR)["us"] == "no_drift"
    # Who was updated is not silent: version 1 has one device left there, and is judged by it.
    assert said(NOW + 4 * HOUR)["us"] == "drift"
