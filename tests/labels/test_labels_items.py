"""Labels from bodies: what is taken, what is refused and in which words."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.labels.bodies import LABELS_MAX, BadBodyError, TooManyError, read_array, read_lines
from sloengine.labels.items import BadLabel, Label, check
from sloengine.labels.rows import COLUMNS, GIVEN, rows

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("item", "label"),
    [
        ({"prediction_id": "p", "truth": "cat"}, Label("p", "cat", NOW)),
        ({"prediction_id": 7, "truth": 3}, Label("7", "3", NOW)),
        ({"prediction_id": "p", "truth": "cat", "at": None, "source": ""}, Label("p", "cat", NOW)),
        (
            {"prediction_id": "p", "truth": "c", "at": "2026-05-04T04:02:01+02:00", "source": "op", "service": "s"},
            Label("p", "c", NOW - timedelta(hours=1), "op", "s"),
        ),
        (
            {"prediction_id": "p", "truth": "c", "at": "2026-05-04T03:50:00Z"},
            Label("p", "c", NOW + timedelta(minutes=47, seconds=59)),
        ),
    ],
)
def test_a_label_is_an_id_and_a_truth_and_perhaps_a_time(item: object, label: Label) -> None:
    assert check(item, NOW) == label


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (7, "expected an object"),
        ({"truth": "c"}, "'prediction_id' is missing"),
        ({"prediction_id": "", "truth": None}, "'prediction_id' is missing; 'truth' is missing"),
        ({"prediction_id": "p", "truth": True}, "'truth' must be a text, found True; put it in quotes"),
        ({"prediction_id": "p", "truth": 1.5}, "'truth' must be a text"),
        ({"prediction_id": ["p"], "truth": "c"}, "'prediction_id' must be a text"),
        ({"prediction_id": "p" * 257, "truth": "c"}, "'prediction_id' has more than 256 characters"),
        ({"prediction_id": 10**18, "truth": "c"}, "'prediction_id' has more than 18 characters"),
        ({"prediction_id": "p", "truth": "\ud800"}, "'truth' holds characters that are not Unicode text"),
        (
            {"prediction_id": "p", "truth": "c", "predicton": 1},
            "unknown field 'predicton'; did you mean 'prediction_id'?",
        ),
        ({"prediction_id": "p", "truth": "c", "zzz": 1}, "unknown field 'zzz'; known are prediction_id"),
        (
            {"prediction_id": "p", "truth": "c", "at": "yesterday"},
            "'at' must be an ISO 8601 time such as 2026-05-04T03:02:01Z",
        ),
        ({"prediction_id": "p", "truth": "c", "at": 1777863721}, "'at' must be an ISO 8601 time"),
        ({"prediction_id": "p", "truth": "c", "at": "2026-05-04T03:02:01"}, "'at' has no time zone"),
        ({"prediction_id": "p", "truth": "c", "at": "2026-05-04T05:02:01Z"}, "'at' is in the future"),
        ({"prediction_id": "p", "truth": "c", "at": "0001-01-01T00:00:00+14:00"}, "'at' is in the year 1"),
        ({"prediction_id": "p", "truth": "c", "at": "2025-03-04T05:02:01Z"}, "'at' is more than 400 days ago"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(item: object, said: str) -> None:
    found = check(item, NOW)
    assert isinstance(found, str)
    assert said in found


def test_bad_items_are_named_by_their_place() -> None:
    body = json.dumps([{"prediction_id": "a", "truth": "x"}, 7, {"prediction_id": "b"}]).encode()
    labels, wrong = read_array(body, NOW)
    assert [label.prediction_id for label in labels] == ["a"]
    assert [bad.place for bad in wrong] == [1, 2]
    text = b'{"prediction_id": "a", "truth": "x"}\r\n\n{"prediction_id": }\n\xff\n{"prediction_id": "b", "truth": "y"}'
    labels, wrong = read_lines(text, NOW)
    assert [label.prediction_id for label in labels] == ["a", "b"]
    assert [bad.place for bad in wrong] == [3, 4]
    assert "not JSON: Expecting value at line 1 column 19" in wrong[0].message
    assert "is not UTF-8" in wrong[1].message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{}", "expected a JSON array"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "too many digits"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_body_without_labels_says_what_to_send(body: bytes, said: str) -> None:
    with pytest.raises(BadBodyError, match=said):
        read_array(body, NOW)


def test_a_request_has_a_size() -> None:
    line = b'{"prediction_id":"a","truth":"x"}'
    with pytest.raises(TooManyError, match="10001 labels in one request; send at most 10000"):
        read_lines(b"\n".join([line] * (LABELS_MAX + 1)), NOW)
    assert len(read_array(b"[" + b",".join([line] * LABELS_MAX) + b"]", NOW)[0]) == LABELS_MAX


@given(
    st.binary(max_size=200)
    | st.from_regex(rb'\[?(\{"prediction_id": ?"?[^"]{0,9}"?,? ?"truth":[^}]{0,9}\},?\n?){1,3}\]?')
)
def test_no_body_breaks_it(body: bytes) -> None:
    for read in (read_array, read_lines):
        try:
            labels, wrong = read(body, NOW)
        except BadBodyError:
            continue
        assert all(isinstance(label, Label) for label in labels)
        assert all(isinstance(bad, BadLabel) and bad.message for bad in wrong)
        assert all(row for row in rows(labels, NOW))


def test_rows_are_log_events_and_old_times_are_kept_beside() -> None:
    fresh, old = Label("p", "cat", NOW, "op", "s"), Label("p", "cat", NOW - timedelta(days=300))
    first, second = (dict(zip(COLUMNS, row, strict=True)) for row in rows([fresh, old], NOW))
    assert first["EventName"] == "edge.label"
    assert first["Timestamp"] == second["Timestamp"] == 1_777_863_721_000_000_000
    assert first["LogAttributes"] == {
        "event.name": "edge.label",
        "edge.prediction.id": "p",
        "edge.label.truth": "cat",
        "edge.label.source": "op",
    }
    assert (first["ServiceName"], second["ServiceName"]) == ("s", "")
    assert isinstance(second["LogAttributes"], dict)
    assert second["LogAttributes"][GIVEN] == str(1_777_863_721_000_000_000 - 300 * 86400 * 10**9)
