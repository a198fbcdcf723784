"""Compact JSON log files through the full gateway: every line once, whatever is in it, over rotation and restarts."""

import json
import signal
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from collector_running import FullGateway, wait_for

pytestmark = pytest.mark.collector
# Within what the gateway believes of a clock, with milliseconds.
MOMENT = datetime.now(UTC).replace(microsecond=123_000) - timedelta(hours=2)
EASTERN = MOMENT.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="seconds")
COLUMNS = (
    "Body, SeverityText, SeverityNumber, EventName, DeviceId, GatewayId, ServiceName, ModelName, LogAttributes AS a,"
    " toUnixTimestamp64Nano(Timestamp) AS ns"
)


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def rows(store, full_database, full_gateway) -> dict[str, dict]:
    """What became of one file with a line of each kind: the rows by the key `n`, or the body where a line has none."""
    good = {
        "ts": MOMENT.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "lvl": "error",
        "event": "edge.model.load_failed",
        "device": "d-1",
        "service": "digits",
        "msg": "no such file",
        "edge.model.name": "digits",
        "retries": 3,
        "share": 0.25,
        "final": True,
        "where": {"path": "/models/7"},
    }
    kinds = [
        {"n": "good", **good},
        {
            "n": "offset",
            "ts": MOMENT.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="seconds"),
            "lvl": "WARNING",
            "device": 7,
        },
        {"n": "bad time", "ts": "yesterday", "lvl": "info", "msg": "m"},
        {"n": "bad level", "lvl": "loud", "msg": "m"},
        {"n": "old", "ts": "1970-01-01T00:00:01Z", "msg": "clock not set"},
        {"n": "secret", "msg": "login", "api_key": "abcdef"},
        {"n": "big", "msg": "m", "number": 9007199254740993},
    ]
    broken = ["plain words", '{"ts": "2026-11-24T10:00:0', "[1, 2]", '"text"']
    write(full_gateway.logs / "kinds.jsonl", *map(json.dumps, kinds), *broken)
    count = "SELECT count() AS n FROM otel_logs"
    wait_for(lambda: store.value(count, full_database) >= len(kinds) + len(broken))
    found = store.rows(f"SELECT {COLUMNS} FROM otel_logs", full_database)
    assert len(found) == len(kinds) + len(broken), full_gateway.log[-3000:]
    return {row["a"].get("n", row["Body"]): row for row in found}


def test_a_compact_json_line_becomes_a_record_with_its_own_fields(rows) -> None:
    row = rows["good"]
    assert row["ns"] == round(MOMENT.timestamp() * 1000) * 10**6
    assert (row["SeverityText"], row["SeverityNumber"]) == ("ERROR", 17)
    assert (row["EventName"], row["Body"]) == ("edge.model.load_failed", "no such file")
    assert (row["DeviceId"], row["ServiceName"], row["ModelName"]) == ("d-1", "digits", "digits")
    assert row["GatewayId"] == "gw-full"
    attributes = {key: value for key, value in row["a"].items() if key not in ("n", "log.file.name", "event.name")}
    assert attributes == {
        "edge.model.name": "digits",
        "retries": "3",
        "share": "0.25",
        "final": "true",
        "where": '{"path":"/models/7"}',
    }


def test_times_with_an_offset_and_other_spellings_of_levels_are_understood(rows) -> None:
    row = rows["offset"]
    assert row["ns"] == int(MOMENT.timestamp()) * 10**9
    assert (row["SeverityText"], row["SeverityNumber"], row["DeviceId"]) == ("WARN", 13, "7")
    assert row["Body"].startswith('{"n": "offset"')


@pytest.mark.parametrize("body", ["plain words", '{"ts": "2026-11-24T10:00:0', "[1, 2]", '"text"'])
def test_a_line_that_is_no_json_object_is_kept_as_it_is_and_marked(rows, body: str) -> None:
    assert rows[body]["a"]["edge.log.malformed"] == "line"
    assert rows[body]["ns"] > 1_700_000_000 * 10**9


def test_what_a_line_gets_wrong_is_kept_beside_what_it_gets_right(rows) -> None:
    time, level = rows["bad time"], rows["bad level"]
    assert (time["a"]["ts"], time["a"]["edge.log.malformed"], time["SeverityText"]) == ("yesterday", "ts", "INFO")
    assert time["ns"] > 1_700_000_000 * 10**9
    assert (level["SeverityText"], level["SeverityNumber"], level["Body"]) == ("loud", 0, "m")


def test_clocks_are_clamped_secrets_masked_and_numbers_exact_as_on_every_way_in(rows) -> None:
    assert rows["old"]["a"]["edge.original_time_unix_nano"] == str(10**9)
    assert rows["old"]["ns"] > 1_700_000_000 * 10**9
    assert rows["secret"]["a"]["api_key"] == "****"
    assert rows["big"]["a"]["number"] == "9007199254740993"


def numbered(first: int, count: int) -> list[str]:
    return [json.dumps({"device": "d-2", "msg": f"line {number}"}) for number in range(first, first + count)]


def test_rotation_and_restarts_lose_nothing_and_repeat_nothing(store, database, gateways, full_binary) -> None:
    gateway: FullGateway = gateways(store.url, database, kind=FullGateway)
    log, rotated = gateway.logs / "app.jsonl", gateway.logs / "app.jsonl.1"
    counts = "SELECT count() AS lines, uniqExact(Body) AS different FROM otel_logs"

    def arrived(lines: int) -> bool:
        return wait_for(lambda: store.rows(counts, database) == [{"lines": lines, "different": lines}])

    write(log, *numbered(0, 100))  # before the gateway runs
    gateway.start()
    assert arrived(100), store.rows(counts, database)
    write(log, *numbered(100, 100))
    log.rename(rotated)
    write(log, *numbered(200, 100))
    assert arrived(300), store.rows(counts, database)
    write(log, *numbered(300, 10))
    gateway.end()
    # Lines and a rotation while it is away.
    write(log, *numbered(310, 90))
    log.rename(gateway.logs / "app.jsonl.2")
    write(log, *numbered(400, 100))
    gateway.start()
    assert arrived(500), store.rows(counts, database)
    gateway.end(signal.SIGTERM)
    gateway.start()
    write(log, *numbered(500, 1))
    assert arrived(501), store.rows(counts, database)
