"""The shape of catalogue documents: every kind of OpenSLO v1 and our own. Unknown keys are refused."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sloengine.config.words import NAME
from sloengine.monitor import Against, Values

Name = Annotated[str, Field(pattern=NAME)]
"""What OpenSLO asks implementations to allow, and the capitals of its own examples; it is part of alert identities."""
Text = Annotated[str, Field(max_length=1050)]
Service = Annotated[str, Field(min_length=1, max_length=253)]
Op = Literal["lte", "lt", "gte", "gt"]


def _empty(value: object) -> object:
    """``key:`` without a value is nothing given, not a mistake: published examples write it."""
    return [] if value is None else value


def _scalar(value: object) -> object:
    """``slices-max: 500`` and ``zero-tolerance: true`` are texts to an annotation, whatever YAML makes of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | date) else value


def _annotations(value: object) -> object:
    return {k: _scalar(v) for k, v in value.items()} if isinstance(value, dict) else value


def _wall(value: object) -> object:
    """YAML turns ``2022-01-01 12:00:00`` into a time; as text it is what the user wrote."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return f"{value.isoformat()} 00:00:00" if isinstance(value, date) else value


def _minutes(value: object) -> object:
    """OpenSLO: a slice without a unit is in minutes."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value}m"
    return value


def _reference(value: object) -> object:
    return {"alertPolicyRef": value} if isinstance(value, str) else value


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(Strict):
    name: Name
    display_name: str = Field(default="", alias="displayName", max_length=253)
    labels: dict[str, str | list[str]] = {}
    annotations: Annotated[dict[str, str], BeforeValidator(_annotations)] = {}


# --- OpenSLO: indicators


class MetricSource(Strict):
    ref: Name | None = Field(default=None, alias="metricSourceRef")
    type: str = Field(default="", max_length=253)
    spec: Annotated[Any, BeforeValidator(lambda v: {} if v is None else v)] = {}


class Metric(Strict):
    source: MetricSource = Field(alias="metricSource")


class RatioMetric(Strict):
    counter: bool | None = None
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw: Metric | None = None
    raw_type: Literal["success", "failure"] | None = Field(default=None, alias="rawType")


class SliSpec(Strict):
    description: Text = ""
    threshold: Metric | None = Field(default=None, alias="thresholdMetric")
    ratio: RatioMetric | None = Field(default=None, alias="ratioMetric")


class InlineSli(Strict):
    api_version: Literal["openslo/v1"] = Field(default="openslo/v1", alias="apiVersion")
    kind: Literal["SLI"] = "SLI"
    metadata: Metadata
    spec: SliSpec = SliSpec()


# --- OpenSLO: alerts


class Condition(Strict):
    kind: Literal["burnrate"] = "burnrate"
    op: Op | None = None
    threshold: float | None = None
    lookback: str | None = Field(default=None, alias="lookbackWindow")
    alert_after: str | None = Field(default=None, alias="alertAfter")


class ConditionSpec(Strict):
    description: Text = ""
    severity: str
    condition: Condition


class ConditionUse(Strict):
    """A reference or a condition in place."""

    ref: Name | None = Field(default=None, alias="conditionRef")
    api_version: Literal["openslo/v1"] = Field(default="openslo/v1", alias="apiVersion")
    kind: Literal["AlertCondition"] = "AlertCondition"
    metadata: Metadata | None = None
    spec: ConditionSpec | None = None


class TargetSpec(Strict):
    description: Text = ""
    target: str


class TargetUse(Strict):
    ref: Name | None = Field(default=None, alias="targetRef")
    api_version: Literal["openslo/v1"] = Field(default="openslo/v1", alias="apiVersion")
    kind: Literal["AlertNotificationTarget"] = "AlertNotificationTarget"
    metadata: Metadata | None = None
    spec: TargetSpec | None = None


class PolicySpec(Strict):
    description: Text = ""
    when_no_data: bool | None = Field(default=None, alias="alertWhenNoData")
    when_resolved: bool | None = Field(default=None, alias="alertWhenResolved")
    when_breaching: bool | None = Field(default=None, alias="alertWhenBreaching")
    conditions: list[ConditionUse] = Field(min_length=1, max_length=1)
    targets: Annotated[list[TargetUse], BeforeValidator(_empty)] = Field(default=[], alias="notificationTargets")


class PolicyUse(Strict):
    """A reference or a policy in place."""

    ref: Name | None = Field(default=None, alias="alertPolicyRef")
    api_version: Literal["openslo/v1"] = Field(default="openslo/v1", alias="apiVersion")
    kind: Literal["AlertPolicy"] = "AlertPolicy"
    metadata: Metadata | None = None
    spec: PolicySpec | None = None


PolicyUses = Annotated[list[Annotated[PolicyUse, BeforeValidator(_reference)]], BeforeValidator(_empty)]


# --- OpenSLO: objectives


class WindowCalendar(Strict):
    start: Annotated[str, BeforeValidator(_wall)] = Field(alias="startTime")
    zone: str = Field(alias="timeZone", max_length=100)


class TimeWindow(Strict):
    duration: str
    is_rolling: bool | None = Field(default=None, alias="isRolling")
    calendar: WindowCalendar | None = None


class Objective(Strict):
    display_name: str = Field(default="", alias="displayName", max_length=253)
    target: float | None = None
    target_percent: float | None = Field(default=None, alias="targetPercent")
    op: Op | None = None
    value: float | None = None
    slice_target: float | None = Field(default=None, alias="timeSliceTarget")
    slice_window: Annotated[str, BeforeValidator(_minutes)] | None = Field(default=None, alias="timeSliceWindow")
    indicator: InlineSli | None = None
    indicator_ref: str | None = Field(default=None, alias="indicatorRef")
    weight: float | None = Field(default=None, alias="compositeWeight")


class SloSpec(Strict):
    description: Text = ""
    service: Service
    indicator: InlineSli | None = None
    indicator_ref: str | None = Field(default=None, alias="indicatorRef")
    time_window: Annotated[list[TimeWindow], BeforeValidator(_empty)] = Field(
        default=[], alias="timeWindow", max_length=1
    )
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"] | None = Field(
        default=None, alias="budgetingMethod"
    )
    objectives: Annotated[list[Objective], BeforeValidator(_empty)] = Field(default=[], max_length=20)
    alert_policies: PolicyUses = Field(default=[], alias="alertPolicies")


class _OpenSlo(Strict):
    api_version: Literal["openslo/v1"] = Field(alias="apiVersion")
    metadata: Metadata


class SloDocument(_OpenSlo):
    kind: Literal["SLO"]
    spec: SloSpec


class SliDocument(_OpenSlo):
    kind: Literal["SLI"]
    spec: SliSpec


class ServiceSpec(Strict):
    description: Text = ""


class ServiceDocument(_OpenSlo):
    kind: Literal["Service"]
    spec: Annotated[ServiceSpec, BeforeValidator(lambda v: {} if v is None else v)] = ServiceSpec()


class DataSourceSpec(Strict):
    description: Text = ""
    type: str
    connection: Any = Field(default=None, alias="connectionDetails")


class DataSourceDocument(_OpenSlo):
    kind: Literal["DataSource"]
    spec: DataSourceSpec


class ConditionDocument(_OpenSlo):
    kind: Literal["AlertCondition"]
    spec: ConditionSpec


class PolicyDocument(_OpenSlo):
    kind: Literal["AlertPolicy"]
    spec: PolicySpec


class TargetDocument(_OpenSlo):
    kind: Literal["AlertNotificationTarget"]
    spec: TargetSpec


# --- our own kinds


class _Own(Strict):
    api_version: Literal["sloengine.dev/v1"] = Field(alias="apiVersion")
    metadata: Metadata


class InventoryNode(Strict):
    device: str = Field(min_length=1, max_length=200)
    gateway: str = Field(min_length=1, max_length=200)
    region: str = Field(min_length=1, max_length=200)
    since: datetime | None = None


class InventorySpec(Strict):
    service: Service
    since: datetime
    nodes: list[InventoryNode] = Field(min_length=1)


class InventoryDocument(_Own):
    kind: Literal["Inventory"]
    spec: InventorySpec


class RolloutWave(Strict):
    wave: Annotated[str, BeforeValidator(_scalar)] = Field(default="", max_length=200)
    devices: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1)


class RolloutSpec(Strict):
    rollout: Annotated[str, BeforeValidator(_scalar)] | None = Field(default=None, min_length=1, max_length=200)
    service: Service
    declared: datetime
    model: str = Field(default="", max_length=200)
    version: Annotated[str, BeforeValidator(_scalar)] = Field(default="", max_length=200)
    waves: list[RolloutWave] = Field(min_length=1)


class RolloutDocument(_Own):
    kind: Literal["Rollout"]
    spec: RolloutSpec


class ExclusionSpec(Strict):
    reason: Text = Field(min_length=1)
    where: Any = None
    start: Annotated[str, BeforeValidator(_wall)]
    duration: str | None = None
    until: Annotated[str | None, BeforeValidator(lambda value: None if value is None else _wall(value))] = None
    rrule: str | None = Field(default=None, max_length=400)
    zone: str = Field(default="UTC", alias="timeZone", max_length=100)


class ExclusionDocument(_Own):
    kind: Literal["Exclusion"]
    spec: ExclusionSpec


class DriftSpec(Strict):
    """What is left out is as ``sloengine.monitor.DriftMonitor`` says."""

    service: Service
    metric: str = Field(min_length=1, max_length=253)
    values: Values = Values.HISTOGRAM
    class_attribute: str = Field(default="", alias="classAttribute")
    levels: list[str] | None = Field(default=None, max_length=20)
    segments: Annotated[list[str], BeforeValidator(_empty)] = Field(default=[], max_length=20)
    against: Against = Against.TRAILING
    baseline: str = Field(default="", max_length=253)
    trailing: str | None = None
    window: str | None = None
    index: str | None = None
    minimum: float | None = None
    false_alarms: float | None = Field(default=None, alias="falseAlarms")
    persistence: Annotated[str | None, BeforeValidator(_scalar)] = None
    retrain: str = Field(default="", max_length=100)
    critical: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253), BeforeValidator(_scalar)]], BeforeValidator(_empty)
    ] = []


class DriftDocument(_Own):
    kind: Literal["DriftMonitor"]
    spec: DriftSpec


class BurnPair(Strict):
    severity: Literal["page", "ticket"]
    long: str
    short: str | None = None
    budget_share: float | None = Field(default=None, alias="budgetShare")
    factor: float | None = None


class BurnPolicySpec(Strict):
    description: Text = ""
    windows: list[BurnPair] = Field(min_length=1, max_length=40)


class BurnPolicyDocument(_Own):
    kind: Literal["BurnPolicy"]
    spec: BurnPolicySpec


class IndicatorLine(Strict):
    """What one line of an Indicators document may say differently from its template."""

    name: Name | None = None
    target: float | None = None
    target_percent: float | None = Field(default=None, alias="targetPercent")
    value: float | None = None
    op: Op | None = None
    by: str | None = None
    where: Any = None
    owner: str | None = None
    runbook: str | None = None
    time_window: Annotated[list[TimeWindow], BeforeValidator(_empty)] = Field(
        default=[], alias="timeWindow", max_length=1
    )
    alert_policies: PolicyUses | None = Field(default=None, alias="alertPolicies")
    annotations: Annotated[dict[str, str], BeforeValidator(_annotations)] = {}


class IndicatorsSpec(Strict):
    service: Service
    owner: str | None = None
    runbook: str | None = None
    by: str | None = None
    time_window: Annotated[list[TimeWindow], BeforeValidator(_empty)] = Field(
        default=[], alias="timeWindow", max_length=1
    )
    alert_policies: PolicyUses = Field(default=[], alias="alertPolicies")
    indicators: Annotated[list[str | dict[str, Any]], BeforeValidator(_empty)] = Field(max_length=100)


class IndicatorsDocument(_Own):
    kind: Literal["Indicators"]
    spec: IndicatorsSpec


AnyDocument = (
    SloDocument | SliDocument | ServiceDocument | DataSourceDocument | ConditionDocument | PolicyDocument | TargetDocument
    | InventoryDocument | RolloutDocument | ExclusionDocument | DriftDocument | BurnPolicyDocument | IndicatorsDocument
)  # fmt: skip

OPENSLO, OWN = "openslo/v1", "sloengine.dev/v1"
DOCUMENTS: dict[tuple[str, str], type[AnyDocument]] = {
    (OPENSLO, "SLO"): SloDocument,
    (OPENSLO, "SLI"): SliDocument,
    (OPENSLO, "Service"): ServiceDocument,
    (OPENSLO, "DataSource"): DataSourceDocument,
    (OPENSLO, "AlertPolicy"): PolicyDocument,
    (OPENSLO, "AlertCondition"): ConditionDocument,
    (OPENSLO, "AlertNotificationTarget"): TargetDocument,
    (OWN, "Indicators"): IndicatorsDocument,
    (OWN, "Inventory"): InventoryDocument,
    (OWN, "Rollout"): RolloutDocument,
    (OWN, "Exclusion"): ExclusionDocument,
    (OWN, "DriftMonitor"): DriftDocument,
    (OWN, "BurnPolicy"): BurnPolicyDocument,
}
