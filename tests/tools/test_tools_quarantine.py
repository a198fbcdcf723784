"""Quarantine by command: what is written, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sloengine.tools.quarantine import EVER, moment, quarantine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SAID = ("forged points", "security")


class Memory:
    """A store that keeps the newest row of each (gateway, since), as the table does."""

    def __init__(self) -> None:
        self.held: dict[tuple[Any, Any], dict[str, Any]] = {}

    def rows(self, name: str) -> list[dict[str, Any]]:
        assert name in ("quarantines", "known_gateways")
        return (
            [{"name": name} for name in ("gw", "gw-eu-north")] if name == "known_gateways" else list(self.held.values())
        )

    def insert(self, table: str, columns: list[str], rows: list[list[Any]]) -> None:
        assert table == "quarantines"
        for row in rows:
            self.held[row[0], row[1]] = dict(zip(columns, row, strict=True))


def test_a_quarantine_lasts_until_it_is_lifted() -> None:
    store = Memory()
    said = quarantine(store, "gw", ("2d", None), SAID, NOW, lift=False)  # type: ignore[arg-type]
    assert said == "What gateway gw delivered from 2026-02-27 12:00 on does not count, from the engine's next tick."
    (row,) = store.rows("quarantines")
    assert (row["Since"], row["Until"], row["Lifted"], row["Reason"]) == (NOW - 2 * DAY, EVER, False, "forged points")
    quarantine(store, "gw", ("1d", None), ("cleared", "security"), NOW, lift=True)  # type: ignore[arg-type]
    (row,) = store.rows("quarantines")
    assert (row["Since"], row["Lifted"], row["Reason"]) == (NOW - 2 * DAY, True, "cleared")


@pytest.mark.parametrize(
    ("case", "span", "lift", "said"),
    [
        ("an end before the beginning", ("1d", "2d"), False, "is not after --since"),
        ("nothing to lift", ("1d", None), True, "is not in quarantine then"),
        ("no time at all", ("yesterday", None), False, "neither a time such as"),
    ],
)
def test_what_makes_no_sense_is_refused(case: str, span: tuple[str, str | None], lift: bool, said: str) -> None:
    store = Memory()
    with pytest.raises(ValueError, match=said):
        quarantine(store, "gw", span, SAID, NOW, lift=lift)  # type: ignore[arg-type]
    assert store.rows("quarantines") == [], case


def test_a_gateway_that_was_never_heard_of_is_written_down_with_a_warning() -> None:
    """It may come later, but most likely its name is mistyped."""
    store = Memory()
    said = quarantine(store, "gw-eu-nort", ("2d", None), SAID, NOW, lift=False)  # type: ignore[arg-type]
    assert said.splitlines()[1:] == [
        "Beware: no gateway was ever heard of under the name 'gw-eu-nort'; did you mean gw-eu-north?"
    ]
    assert len(store.rows("quarantines")) == 1
    lifted = quarantine(store, "gw-eu-nort", ("2d", None), SAID, NOW, lift=True)  # type: ignore[arg-type]
    assert "Beware" not in lifted


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert moment("2026-02-28T10:00", NOW) == datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert moment("2026-02-28T10:00+02:00", NOW) == datetime(2026, 2, 28, 8, tzinfo=UTC)
    assert moment("90m", NOW) == NOW - timedelta(minutes=90)
