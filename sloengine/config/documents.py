"""The shape of catalogue documents: OpenSLO v1 ``SLO`` and our own ``Inventory``. Unknown keys are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")]
"""DNS label, as OpenSLO asks; it is part of alert identities."""

AVAILABLE_INDICATORS = ("M1", "M2", "M4")

ANNOTATIONS = {
    "sloengine.dev/owner": "the team that can act",
    "sloengine.dev/runbook": "where it says what to do",
    "sloengine.dev/by": "dimensions that each get a budget of their own, such as 'model, region'",
}


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(Strict):
    name: Name
    display_name: str = Field(default="", alias="displayName")
    labels: dict[str, Annotated[list[str], BeforeValidator(_one_or_many)]] = {}
    annotations: dict[str, str] = {}


class TimeWindow(Strict):
    duration: str
    is_rolling: bool = Field(default=False, alias="isRolling")


class Objective(Strict):
    display_name: str = Field(default="", alias="displayName")
    target: float | None = None
    target_percent: float | None = Field(default=None, alias="targetPercent")
    op: Literal["lte", "lt", "gte", "gt"] | None = None
    value: float | None = None


class SloSpec(Strict):
    description: str = ""
    service: str
    indicator_ref: str = Field(alias="indicatorRef")
    time_window: list[TimeWindow] = Field(alias="timeWindow", min_length=1, max_length=1)
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"] = Field(alias="budgetingMethod")
    objectives: list[Objective] = Field(min_length=1)
    alert_policies: list[str] = Field(default=[], alias="alertPolicies")


class SloDocument(Strict):
    api_version: Literal["openslo/v1"] = Field(alias="apiVersion")
    kind: Literal["SLO"]
    metadata: Metadata
    spec: SloSpec


class InventoryNode(Strict):
    device: str = Field(min_length=1, max_length=200)
    gateway: str = Field(min_length=1, max_length=200)
    region: str = Field(min_length=1, max_length=200)
    since: datetime | None = None


class InventorySpec(Strict):
    service: str
    since: datetime
    nodes: list[InventoryNode] = Field(min_length=1)


class InventoryDocument(Strict):
    api_version: Literal["sloengine.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Inventory"]
    metadata: Metadata
    spec: InventorySpec


DOCUMENTS: dict[tuple[str, str], type[SloDocument] | type[InventoryDocument]] = {
    ("openslo/v1", "SLO"): SloDocument,
    ("sloengine.dev/v1", "Inventory"): InventoryDocument,
}
OPENSLO_KINDS = {"Service", "SLI", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"}
"""Valid OpenSLO that we read past with a warning, because nothing here acts on it yet."""
