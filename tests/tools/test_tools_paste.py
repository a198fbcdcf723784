"""Literals: what ClickHouse reads back is what was written, whatever telemetry puts into it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.config.settings import StoreSection
from sloengine.store.client import Store
from sloengine.tools.paste import literal, paste

NASTY = ["'", "\\", "\\'", "a'b\\", "\n\t\r\b\0", "{x:String}", "$rows", "-- no comment", "/* */", "é→🙂", "%s", ""]


@pytest.fixture(scope="module")
def store(tools_store: str) -> Store:
    return Store(StoreSection(url=tools_store, database="default"))


def _back(store: Store, sql: str) -> Any:
    return store.sql_rows(f"SELECT {sql} AS x")[0]["x"]


def test_nasty_text_comes_back(store: Store) -> None:
    assert _back(store, literal(NASTY, "Array(String)")) == NASTY


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=30))
def test_any_text_comes_back(store: Store, texts: list[str]) -> None:
    assert _back(store, literal(texts, "Array(String)")) == texts


def test_what_is_put_in_is_not_read_as_a_parameter_or_marker(store: Store) -> None:
    sql = paste(
        "SELECT {a:String} AS a, {b:String} AS b, $c AS c",
        {"a": "{b:String}", "b": "$c"},
        {"c": literal("$a", "String")},
    )
    assert store.sql_rows(sql) == [{"a": "{b:String}", "b": "$c", "c": "$a"}]


def test_a_missing_parameter_or_marker_is_an_error() -> None:
    with pytest.raises(KeyError):
        paste("SELECT {a:String}", {})
    with pytest.raises(KeyError):
        paste("SELECT $a", {})


def test_times_numbers_tuples_and_maps_come_back(store: Store) -> None:
    at = datetime(2026, 11, 24, 3, 4, 5, 678000, tzinfo=UTC)
    assert _back(store, f"toString({literal(at, 'DateTime64(3)')})") == "2026-11-24 03:04:05.678"
    assert _back(store, f"toString({literal(at, 'DateTime')})") == "2026-11-24 03:04:05"
    assert _back(store, literal({"k'": "v\\"}, "Map(String, String)")) == {"k'": "v\\"}
    kind = "Array(Tuple(String, DateTime('UTC'), Float64))"
    ((name, _, share),) = _back(store, literal([("a", at, 0.1)], kind))
    assert (name, share) == ("a", 0.1)
    assert _back(store, literal(True, "Bool")) is True
