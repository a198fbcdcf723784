"""`lint --live`: what the store knows about a catalogue; once with dictionaries, once with a real store."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sloengine.config.catalogue import catalogue_to_ask_about, check_catalogue
from sloengine.config.live import Judged, Seen, check_live
from sloengine.config.settings import StoreSection
from sloengine.model import Source
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: frames
  annotations:
    sloengine.dev/owner: ml
    sloengine.dev/runbook: r
    sloengine.dev/by: device, region
    sloengine.dev/where: 'region=~"eu|us"'
    sloengine.dev/slices-max: 2
spec:
  service: digits
  indicator:
    metadata: {name: frames}
    spec:
      ratioMetric:
        good: {metricSource: {type: metrics, spec: {metric: camera.frames, where: ['result="ok"']}}}
        total: {metricSource: {type: metrics, spec: {metric: camera.frames}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


@dataclass
class Known:
    """A store of a few words."""

    values: dict[str, frozenset[str]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("camera.frames",)
    services: tuple[str, ...] = ("digits",)
    slices: int = 1
    slos: tuple[Judged, ...] = ()
    cut: frozenset[str] = frozenset()

    def names(self, source: Source) -> dict[str, Sequence[str]]:
        return dict.fromkeys(self.metrics, self.services)

    def seen(self, source: Source, name: str, service: str, keys: Sequence[str]) -> Seen | None:
        if name not in self.metrics or service not in self.services:
            return None
        return Seen({k: self.values.get(k, frozenset({""})) for k in keys}, self.cut)

    def combinations(self, source: Source, name: str, service: str, keys: Sequence[str]) -> int:
        return self.slices

    def judged(self) -> Sequence[Judged]:
        return self.slos


NEVER = "from service 'digits' in the last 7 days"
GOOD = {"result": frozenset({"ok", "lost"}), "region": frozenset({"eu"})}


def live(folder: Path, known: Known, text: str = SLO) -> list[str]:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([file])
    assert [p for p in problems if "no Inventory" not in p.message] == []
    return [str(p).removeprefix(f"{file}:1: warning: ") for p in check_live(catalogue, known)]


@pytest.mark.parametrize(
    ("case", "known", "said"),
    [
        ("all is there", Known(GOOD), []),
        (
            "a metric nobody sends",
            Known(GOOD, metrics=("camera.frame",)),
            [f"SLO 'frames': no sum metric 'camera.frames' {NEVER}; did you mean 'camera.frame'?"],
        ),
        (
            "another service sends it",
            Known(GOOD, services=("letters",)),
            [
                "SLO 'frames': no sum metric 'camera.frames' from service 'digits' in the last 7 days; it comes from letters"
            ],
        ),
        (
            "a service with a slip of the pen",
            Known(GOOD, services=("digit", "letters")),
            [f"SLO 'frames': no sum metric 'camera.frames' {NEVER}; did you mean service 'digit'?"],
        ),
        (
            "a value nobody sends",
            Known(GOOD | {"result": frozenset({"OK", "lost"})}),
            ["SLO 'frames': result=\"ok\" matches nothing of 'camera.frames': seen are 'OK', 'lost'"],
        ),
        (
            "an attribute nobody sends",
            Known(GOOD | {"result": frozenset({""})}),
            ["SLO 'frames': result=\"ok\" matches nothing of 'camera.frames': nothing carries result"],
        ),
        (
            "an expression that meets nothing",
            Known(GOOD | {"region": frozenset({"ap"})}),
            ["SLO 'frames': region=~\"eu|us\" matches nothing of 'camera.frames': seen are 'ap'"],
        ),
        (
            "more values than can be looked at",
            Known(GOOD | {"result": frozenset({"a"})}, cut=frozenset({"result"})),
            [],
        ),
        (
            "more slices than are kept apart",
            Known(GOOD, slices=3),
            [
                "SLO 'frames': 3 combinations of device, region were seen, slices-max is 2: the rest is folded into 'other'"
            ],
        ),
        (
            "a new name for what was judged",
            Known(GOOD, slos=(Judged("pictures", "digits", "frames", ("region", "device")),)),
            [
                "SLO 'frames' looks like 'pictures' under a new name, whose history it loses;"
                " keep it with the annotation sloengine.dev/was: pictures"
            ],
        ),
        (
            "another service's SLO that is gone",
            Known(GOOD, slos=(Judged("pictures", "letters", "frames", ("region", "device")),)),
            [],
        ),
        ("a name that is there", Known(GOOD, slos=(Judged("frames", "digits", "frames", ("region",)),)), []),
    ],
)
def test_what_the_store_does_not_have_is_a_warning(case: str, known: Known, said: list[str], tmp_path: Path) -> None:
    assert live(tmp_path, known) == said, case


def test_a_name_that_says_what_it_was_keeps_its_history(tmp_path: Path) -> None:
    known = Known(GOOD, slos=(Judged("pictures", "digits", "frames", ("region", "device")),))
    assert (
        live(
            tmp_path,
            known,
            SLO.replace("    sloengine.dev/owner", "    sloengine.dev/was: pictures\n    sloengine.dev/owner"),
        )
        == []
    )


def test_measures_that_jobs_of_ours_write_are_not_looked_for(tmp_path: Path) -> None:
    text = (
        "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: d}\n"
        "spec: {service: digits, owner: o, indicators: [M3, M4, M5, M9]}\n"
    )
    assert live(tmp_path, Known(), text) == []


def test_a_service_that_sends_nothing_is_named_although_jobs_of_ours_would_write_its_measures(tmp_path: Path) -> None:
    text = (
        "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: d}\n"
        "spec:\n  service: digts\n  owner: o\n  indicators:\n    - M3\n    - M5\n"
    )
    said = "nothing came from service 'digts' in the last 7 days; did you mean service 'digits'?"
    assert [line.split(":", 1)[1] for line in live(tmp_path, Known(), text)] == [
        f"8: warning: SLO 'd-accuracy': {said}",
        f"9: warning: SLO 'd-drift': {said}",
    ]


MONITOR = """\
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: hits, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec:
  service: digits
  metric: camera.frames
  values: classes
  classAttribute: digit
  segments: [site]
  critical:
    - brakes
    - lamps
"""
TELLING = {"model": frozenset({"brakes", "lamps"}), "digit": frozenset({"1", "2"}), "site": frozenset({"a"})}


@pytest.mark.parametrize(
    ("case", "known", "said"),
    [
        ("all is there", Known(TELLING), []),
        (
            "a metric nobody sends",
            Known(TELLING, metrics=("camera.frame",)),
            [f"6: no sum metric 'camera.frames' {NEVER}; did you mean 'camera.frame'?"],
        ),
        (
            "a service with a slip of the pen",
            Known(TELLING, services=("digit",)),
            [f"6: no sum metric 'camera.frames' {NEVER}; did you mean service 'digit'?"],
        ),
        (
            "classes and segments nobody tells apart",
            Known(TELLING | {"digit": frozenset({""}), "site": frozenset()}),
            ["8: nothing of 'camera.frames' carries digit", "9: nothing of 'camera.frames' carries site"],
        ),
        (
            "critical models nobody has heard of",
            Known(TELLING | {"model": frozenset({"brake", "doors", ""})}),
            [
                "11: critical model 'brakes' was not seen; did you mean 'brake'?",
                "12: critical model 'lamps' was not seen; seen: brake, doors",
            ],
        ),
        ("more models than can be looked at", Known(TELLING | {"model": frozenset()}, cut=frozenset({"model"})), []),
    ],
)
def test_what_a_monitor_watches_and_the_store_does_not_have_is_a_warning_at_its_line(
    case: str, known: Known, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR, encoding="utf-8")
    catalogue, places, problems = catalogue_to_ask_about([tmp_path])
    assert problems == []
    found = [str(p) for p in check_live(catalogue, known, places)]
    start = f"{tmp_path / 'a.yaml'}:"
    assert found == [start + line.replace(": ", ": warning: DriftMonitor 'hits': ", 1) for line in said], case


# --- with a real store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sloengine.embedded",
            "--path",
            str(tmp_path_factory.mktemp("store") / "data"),
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.kill()
    process.wait(30)
    process.stdout.close()


def test_the_command_asks_the_store(url: str, tmp_path: Path) -> None:
    section = StoreSection(url=url, database="live")
    migrate(section)
    store = Store(section)
    now = datetime.now(UTC)
    resource = {"device.id": "d", "edge.region": "eu"}
    columns = ["ResourceAttributes", "ServiceName", "MetricName", "Attributes", "StartTimeUnix", "TimeUnix", "Value"]
    rows = [
        [{**resource, "device.id": f"d{i}"}, "digits", "camera.frames", {"result": r}, now, now - age, 1.0]
        for i, (r, age) in enumerate(
            [("OK", timedelta(0)), ("lost", timedelta(0)), ("lost", timedelta(0)), ("ok", timedelta(days=9))]
        )
    ]
    store.insert(
        "otel_metrics_sum", [*columns, "AggregationTemporality", "IsMonotonic"], [[*row, 2, True] for row in rows]
    )
    store.close()
    (tmp_path / "a.yaml").write_text(SLO + "---\n" + SLO.replace("frames", "lenses"), encoding="utf-8")
    (tmp_path / "q.yaml").write_text(
        SLO.replace("frames", "quoted").replace('"ok"', "\"''; DROP TABLE slo_status; --\""), encoding="utf-8"
    )
    found = subprocess.run(
        [sys.executable, "-m", "sloengine", "lint", "--live", "a.yaml", "q.yaml"],
        cwd=tmp_path,
        env={**os.environ, "SLOENGINE_STORE__URL": url, "SLOENGINE_STORE__DATABASE": "live"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
    assert found.stdout.splitlines() == [
        "a.yaml:8: warning: SLO 'frames': 3 combinations of device, region were seen, slices-max is 2:"
        " the rest is folded into 'other'",
        "a.yaml:17: warning: SLO 'frames': result=\"ok\" matches nothing of 'camera.frames': seen are 'OK', 'lost'",
        f"a.yaml:39: warning: SLO 'lenses': no sum metric 'camera.lenses' {NEVER}; did you mean 'camera.frames'?",
        f"q.yaml:17: warning: SLO 'quoted': no sum metric 'camera.quoted' {NEVER}; did you mean 'camera.frames'?",
    ]
    store = Store(section)
    assert store.sql_rows("SELECT count() AS n FROM slo_status")[0]["n"] == 0
    store.close()


def test_a_history_that_one_slo_claims_is_not_offered_to_another(tmp_path: Path) -> None:
    known = Known(GOOD, slos=(Judged("pictures", "digits", "frames", ("region", "device")),))
    heir = SLO.replace("name: frames\n  ann", "name: heir\n  ann")
    heir = heir.replace("    sloengine.dev/owner", "    sloengine.dev/was: pictures\n    sloengine.dev/owner")
    assert live(tmp_path, known, f"{heir}---\n{SLO}") == []
