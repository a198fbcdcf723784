"""An orchestrator's attributes from the wire to a slice: OTLP, the full gateway, the store, a catalogue's ``by``, a verdict."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from collector_running import FullGateway, Store, wait_for
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from sloengine import jobs
from sloengine.config.catalogue import check_catalogue
from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings, StoreSection
from sloengine.model import State
from sloengine.state.database import open_database
from sloengine.store.client import Store as EngineStore
from sloengine.store.migrate import migrate

pytestmark = pytest.mark.collector
MINUTE_NS = 60 * 10**9
CATALOGUE = """
apiVersion: sloengine.dev/v1
kind: Indicators
metadata: {name: digits}
spec:
  service: in-kubernetes
  owner: platform
  by: k8s.deployment.name, k8s.namespace.name
  indicators:
    - {M1: {where: ['k8s.cluster.name=~"edge-.*"']}}
"""


def texts(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def pod(request: ExportMetricsServiceRequest, cluster: str, deployment: str, good: int, bad: int) -> None:
    """A pod that counted so many requests a minute for three minutes, until a minute ago."""
    now = time.time_ns()
    metrics = request.resource_metrics.add()
    kubernetes = {"cluster": cluster, "namespace": "vision", "deployment": deployment, "pod": f"{deployment}-x2x4q"}
    metrics.resource.attributes.extend(
        texts({"service.name": "in-kubernetes", "device.id": f"node-of-{deployment}-{cluster}", "edge.region": "eu"})
        + texts({f"k8s.{name}.name": value for name, value in kubernetes.items()})
    )
    metric = metrics.scope_metrics.add().metrics.add(name="edge.inference.requests", unit="{request}")
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, True
    for outcome, each in (("success", good), ("failure", bad)):
        for step in range(4):
            point = metric.sum.data_points.add(as_int=each * step, start_time_unix_nano=now - 10 * MINUTE_NS)
            point.time_unix_nano = now - (4 - step) * MINUTE_NS
            point.attributes.extend(texts({"edge.inference.outcome": outcome, "edge.model.name": "m"}))


@pytest.fixture
def engine(own_store: Store, tmp_path: Path) -> Iterator[Callable[[], jobs.Deps]]:
    """An engine over the store that the gateway writes to, made when it is asked for."""
    made: list[jobs.Deps] = []

    def make() -> jobs.Deps:
        (tmp_path / "catalogue.yaml").write_text(CATALOGUE)
        catalogue, problems = check_catalogue([tmp_path / "catalogue.yaml"])
        assert problems == []
        settings = Settings(state_url=f"sqlite:///{tmp_path}/state.db", store=StoreSection(url=own_store.url))
        migrate(settings.store)
        nobody = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
        deps = jobs.Deps(
            settings=settings,
            catalogue=catalogue,
            alerting=Alerting.model_validate(nobody),
            store=EngineStore(settings.store),
            state=open_database(settings.state_url),
            http=httpx.Client(),
            clock=lambda: datetime.now(UTC),
            holder="test",
        )
        made.append(deps)
        return deps

    yield make
    for deps in made:
        deps.store.close()
        deps.http.close()
        deps.state.dispose()


def test_a_pods_deployment_becomes_a_slice_with_a_verdict_of_its_own(
    own_store: Store, full_binary: Path, gateways: Callable[..., FullGateway], engine: Callable[[], jobs.Deps]
) -> None:
    deps = engine()
    gateway = gateways(own_store.url, kind=FullGateway)
    gateway.start()
    request = ExportMetricsServiceRequest()
    pod(request, "edge-north", "digits", good=100, bad=0)
    pod(request, "edge-south", "digits", good=50, bad=0)
    pod(request, "edge-north", "faces", good=40, bad=10)
    pod(request, "lab", "digits", good=0, bad=999)  # not of the clusters that the promise is about
    assert gateway.send("metrics", request).status_code == 200
    points = "SELECT count() AS n FROM otel_metrics_sum WHERE ServiceName = 'in-kubernetes'"
    assert wait_for(lambda: own_store.value(points) == 32), gateway.log[-2000:]
    snapshot = jobs.tick(deps, datetime.now(UTC))
    assert snapshot.problems == ()
    found = {s.group: (s.counts.good, s.counts.bad, s.state) for s in snapshot.statuses}
    assert found == {
        (("k8s.deployment.name", "digits"), ("k8s.namespace.name", "vision")): (450, 0, State.OK),
        (("k8s.deployment.name", "faces"), ("k8s.namespace.name", "vision")): (120, 30, State.BURNING),
    }
    said = own_store.rows("SELECT Slice AS slice, Bad AS bad FROM slo_status ORDER BY bad")
    assert [(row["slice"]["k8s.deployment.name"], row["bad"]) for row in said] == [("digits", 0), ("faces", 30)]
