"""Roaming: devices that are heard through more than one gateway. What such a device counts goes on when it moves, so a gateway's
buckets depend on what it sent through others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Stay:
    """A gateway that a device was heard through, from and until by the device's own clock."""

    gateway: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Roaming:
    """Where devices of more than one gateway were heard."""

    stays: Mapping[str, tuple[Stay, ...]] = field(default_factory=dict)

    @property
    def homes(self) -> dict[str, Any]:
        """All gateways of each of these devices, as two parallel lists."""
        listed = sorted(self.stays)
        return {"devices": listed, "homes": [[stay.gateway for stay in self.stays[device]] for device in listed]}

    def around(self, gateways: Iterable[str], since: datetime, until: datetime) -> dict[str, list[str]]:
        """What reading some gateways' time takes: which devices were at several gateways then, where else, and all gateways."""
        own, roaming, elsewhere = set(gateways), [], set[str]()
        for device, stays in self.stays.items():
            there = {stay.gateway for stay in stays if stay.first < until and stay.last >= since}
            if there & own and len(there) > 1:
                roaming.append(device)
                elsewhere |= there - own
        return {"roaming": sorted(roaming), "elsewhere": sorted(elsewhere), "places": sorted(own | elsewhere)}
