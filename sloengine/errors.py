"""Every error sloengine raises on purpose.

SloengineError
├── ConfigError          the user's file or setting is wrong; carries every problem found, each with its place (exit 2)
├── StoreError           ClickHouse refused or can't be reached
│   └── StoreUnavailable it can't be reached; worth trying again (exit 4)
└── DeliveryError        a target did not take a notification; says whether trying again can help
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SloengineError(Exception):
    """Root of the tree; catching it at a job's edge catches nothing that is a bug of ours."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one place of a configuration file."""

    file: str
    line: int
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        # A file's name may hold line ends, and would write lines of its own into what CI reads.
        file = "".join(c if c.isprintable() else "?" for c in self.file)
        return f"{file}:{self.line}: {self.severity}: {self.message}"


class ConfigError(SloengineError):
    """All problems of a configuration at once, so that nobody fixes one to meet the next."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class StoreError(SloengineError):
    """ClickHouse answered with an error."""


class StateError(SloengineError):
    """The database of what must not be lost did not do what it was asked; nothing of it was done."""


class StoreUnavailable(StoreError):
    """ClickHouse did not answer."""


class DeliveryError(SloengineError):
    """A target did not accept a notification."""

    def __init__(self, message: str, *, retryable: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_s = retry_after_s
