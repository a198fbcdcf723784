"""What a checker remembers between requests. Every part is bounded; where a bound was met is written down in `capped`."""

from __future__ import annotations

from dataclasses import dataclass, field

DEVICES_MAX = 1000
SERIES_MAX = 20_000
VALUES_MAX = 200
"""Different values of a metric attribute beyond which it is no dimension: as many as the contract allows labels."""
VALUES_KEPT_MAX = 100_000
FLOODS_MAX = 10_000
PROCESSES_MAX = 100
REGIONS_MAX = 10
LENGTH_MAX = 256
"""Longer texts are remembered by their beginning."""


@dataclass(slots=True)
class Series:
    """The newest point of a series."""

    start_ns: int
    time_ns: int
    value: float
    starts_moved: int = 0
    """Points in a row that each came with another start time."""


@dataclass(slots=True)
class Flood:
    """Events of one name and model."""

    first_ns: int
    count: int


@dataclass(slots=True)
class Device:
    """What one device has shown."""

    signals: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    meant: set[str] = field(default_factory=set)
    """Names of the contract that a misspelt metric stood for: those are not missing as well."""
    regions: set[str] = field(default_factory=set)
    processes: dict[str, int] = field(default_factory=dict)
    """service.instance.id: time of the newest point of its latest export."""
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    floods: dict[tuple[str, str], Flood] = field(default_factory=dict)
    totals: dict[str, dict[bytes, tuple[int, float]]] = field(default_factory=dict)
    """requests, attempts: newest (time, value) by series."""
    retry_ended_ns: int | None = None
    lag_ns_min: int | None = None
    said_its_clock: bool = False
    gap_ns_min: int | None = None


class Memory:
    """Devices and series, up to their limits."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.series: dict[bytes, Series] = {}
        self.capped: set[str] = set()
        self._values_kept = 0
        self._floods_kept = 0

    def device(self, id: str) -> Device:
        """What is known of a device; beyond the limit a blank that is forgotten again."""
        found = self.devices.get(id)
        if found is None:
            found = Device()
            if len(self.devices) < DEVICES_MAX:
                self.devices[id] = found
            else:
                self.capped.add(f"{DEVICES_MAX} devices")
        return found

    def keep(self, key: bytes, series: Series) -> None:
        """Remember a series' newest point."""
        if key in self.series or len(self.series) < SERIES_MAX:
            self.series[key] = series
        else:
            self.capped.add(f"{SERIES_MAX} series")

    def see_value(self, device: Device, metric: str, attribute: str, text: str) -> set[str]:
        """The different values of the attribute on this device's metric, this one included, up to VALUES_MAX + 1."""
        value = text[:LENGTH_MAX]
        seen = device.values.get((metric, attribute), set())
        if value in seen or len(seen) > VALUES_MAX:
            return seen
        if self._values_kept >= VALUES_KEPT_MAX:
            self.capped.add(f"{VALUES_KEPT_MAX} values of metric attributes")
            return seen
        self._values_kept += 1
        seen.add(value)
        device.values[metric, attribute] = seen
        return seen

    def see_event(self, device: Device, name: str, model: str, time_ns: int) -> Flood:
        """Events of this name and model so far, this one included."""
        flood = device.floods.get((name, model)) or Flood(time_ns, 0)
        flood.count += 1
        if flood.count == 1:
            if self._floods_kept >= FLOODS_MAX:
                self.capped.add(f"{FLOODS_MAX} kinds of event")
                return flood
            self._floods_kept += 1
            device.floods[name, model] = flood
        return flood

    def see_region(self, device: Device, region: str) -> None:
        """One more region that the device claims."""
        if region and len(device.regions) < REGIONS_MAX:
            device.regions.add(region)

    def see_export(self, device: Device, process: str, newest_ns: int) -> None:
        """The newest point of a process' latest export."""
        if process in device.processes or len(device.processes) < PROCESSES_MAX:
            device.processes[process] = max(newest_ns, device.processes.get(process, 0))
        else:
            self.capped.add(f"{PROCESSES_MAX} processes of a device")
