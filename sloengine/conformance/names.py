"""Did you mean: names that are almost one of the contract's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

ALIKE = 0.88
"""Share of letters in common (difflib's ratio): one letter wrong in nine, while service.namespace is not service.name."""
_LENGTH_MAX = 64
_ENDINGS = re.compile(r"(total|seconds|bytes|ratio)$")
_ALIASES = {
    "device.id": {"device", "devicename", "nodeid", "edgedeviceid", "edgenodeid"},
    "edge.model.name": {"model", "mlmodelname"},
    "edge.model.version": {"mlmodelversion", "version"},
    "edge.inference.score": {"confidence"},
}


def lookalike(wanted: str, present: Iterable[str], known: Iterable[str] = (), *, short: bool = False) -> str | None:
    """The first of `present` that is almost `wanted` and no name of the contract itself.

    `short` takes the bare last word of edge.inference.* too (`outcome` for `edge.inference.outcome`).
    """
    taken = set(known)
    return next((name for name in present if name not in taken and alike(name, wanted, short)), None)


@lru_cache(maxsize=8192)
def alike(name: str, wanted: str, short: bool) -> bool:
    """Whether somebody who wrote `name` meant `wanted`: case, separators, prefix, Prometheus' endings, a typo."""
    if name == wanted or len(name) > _LENGTH_MAX:
        return False
    squashed, goal = _squash(name), _squash(wanted)
    forms = {goal, goal.removeprefix("edge"), *_ALIASES.get(wanted, ())}
    if short and wanted.startswith("edge.inference."):
        forms.add(_squash(wanted.rpartition(".")[2]))
    if squashed in forms or _ENDINGS.sub("", squashed) in forms - {""}:
        return True
    return SequenceMatcher(None, name, wanted, autojunk=False).ratio() >= ALIKE


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
