"""Inserts are whole or not at all, in every format and encoding, and once acknowledged they stay."""

from __future__ import annotations

import gzip
import random
import zlib

import httpx
import lz4.frame
import pytest
import zstandard

from sloengine.embedded import frames

ROWS = 3_000_000
COLUMNS = "a, b, ts"
MAKE = (
    "SELECT toUInt32(number) AS a, toString(number % 100) AS b,"
    " toDateTime('2026-11-01 00:00:00') + number % 259200 AS ts FROM numbers({rows}) FORMAT {format}"
)


@pytest.fixture
def table(store):
    columns = "(a UInt32, b String, ts DateTime)"
    store.ok(f"CREATE OR REPLACE TABLE ins {columns} ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY a")
    return "ins"


@pytest.fixture(scope="module")
def native(store):
    """About 40 MB of Native in many blocks, three days of partitions."""
    return store.post(MAKE.format(rows=ROWS, format="Native")).content


@pytest.fixture(scope="module")
def small(store):
    return store.post(MAKE.format(rows=1000, format="Native")).content


def count(store) -> int:
    return int(store.ok("SELECT count() FROM ins"))


def insert(store, body, fmt="Native", user="ingest", columns=COLUMNS, headers=None, **params):
    params["query"] = f"INSERT INTO ins ({columns}) FORMAT {fmt}"
    auth = (user, store.passwords[user])
    return httpx.post(store.url, params=params, content=body, auth=auth, headers=headers or {}, timeout=60)


def test_three_million_rows_in_many_blocks_arrive_whole(store, table, native):
    answer = insert(store, native)
    assert answer.status_code == 200, answer.text
    assert '"written_rows": "3000000"' in answer.headers["x-clickhouse-summary"]
    assert count(store) == ROWS


@pytest.mark.parametrize("cut", [1, 1000, 100_000, 30_000_000])
def test_a_native_body_cut_short_leaves_nothing(store, table, native, cut):
    answer = insert(store, native[:-cut])
    assert answer.status_code in (400, 500), answer.text
    assert answer.text.startswith(f"Code: {answer.headers['x-clickhouse-exception-code']}. DB::Exception: ")
    assert count(store) == 0


@pytest.mark.parametrize("fmt", ["CSV", "JSONEachRow", "TabSeparated", "Values", "Parquet"])
def test_a_late_error_leaves_nothing_in_other_formats(store, table, fmt):
    body = store.post(MAKE.format(rows=1_200_000, format=fmt)).content
    broken = body[: len(body) * 9 // 10] + b"\x00{broken" + body[len(body) * 9 // 10 :]
    assert insert(store, broken, fmt).status_code >= 400
    assert count(store) == 0
    assert insert(store, body, fmt).status_code == 200
    assert count(store) == 1_200_000


def test_settings_that_would_cut_an_insert_into_blocks_change_nothing(store, table, native):
    loosened = {"min_insert_block_size_rows": "1", "max_insert_block_size": "1000", "async_insert": "1"}
    assert insert(store, native[:-1000], **loosened).status_code >= 400
    assert count(store) == 0
    sql = f"INSERT INTO ins ({COLUMNS}) SETTINGS min_insert_block_size_rows = 1, async_insert = 1 FORMAT Native"
    assert store.post(sql, "ingest", native[:-1000]).status_code >= 400
    assert store.post(sql, "default", native[:-1000]).status_code >= 400
    assert count(store) == 0


def test_too_many_partitions_leave_nothing(store, table):
    body = "\n".join(f"{day},x,{1_000_000_000 + day * 86400}" for day in range(200)).encode()
    answer = insert(store, body, "CSV")
    assert answer.headers["x-clickhouse-exception-code"] == "252"
    assert count(store) == 0


@pytest.mark.parametrize(
    ("columns", "code"), [("a, nosuch, ts", "16"), ("a, a, ts", "15"), ("a, b", "")], ids=["unknown", "twice", "fewer"]
)
def test_column_lists_that_do_not_fit(store, table, small, columns, code):
    answer = insert(store, small, columns=columns)
    if code:
        assert answer.headers["x-clickhouse-exception-code"] == code
    assert count(store) == (0 if answer.status_code >= 400 else 1000)


ENCODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_content_encodings_whole_cut_and_corrupt(store, table, small, name):
    packed = ENCODINGS[name](small)
    headers = {"content-encoding": name}
    assert insert(store, packed[:-3], headers=headers).status_code >= 400
    assert insert(store, b"XXXX" + packed[4:], headers=headers).status_code >= 400
    assert count(store) == 0
    assert insert(store, packed, headers=headers).status_code == 200
    assert count(store) == 1000


def test_several_members_of_one_encoding_are_one_body(store, table, small):
    half = len(small) // 2
    for name in ("gzip", "zstd", "lz4"):
        body = ENCODINGS[name](small[:half]) + ENCODINGS[name](small[half:])
        assert insert(store, body, headers={"content-encoding": name}).status_code == 200
    assert count(store) == 3000


def test_an_unknown_encoding_is_refused(store, table, small):
    answer = insert(store, small, headers={"content-encoding": "snappy"})
    assert answer.headers["x-clickhouse-exception-code"] == "89"


def test_frames_good_cut_and_corrupt(store, table, small):
    packed = frames.encode(small)
    flipped = bytearray(packed)
    flipped[-1] ^= 1
    wrong_method = packed[:16] + b"\x01" + packed[17:]
    for body in (packed[:-1], bytes(flipped), wrong_method, small, packed + b"x"):
        answer = insert(store, body, decompress="1")
        assert answer.status_code == 400, answer.text
        assert answer.headers["x-clickhouse-exception-code"] in ("40", "89", "32", "179")
    assert count(store) == 0
    assert insert(store, packed, decompress="1").status_code == 200
    assert count(store) == 1000


def test_a_body_over_the_limit_is_refused_and_leaves_nothing(store, table):
    bomb = gzip.compress(b"1,x,1000000000\n" * (5 << 20))
    assert len(bomb) < 1 << 20
    answer = insert(store, bomb, "CSV", headers={"content-encoding": "gzip"})
    assert answer.status_code == 413
    plain = insert(store, b"1,x,1000000000\n" * (5 << 20), "CSV")
    assert plain.status_code == 413
    assert count(store) == 0


def test_sql_and_rows_in_one_body(store, table):
    assert store.post("INSERT INTO ins VALUES (1, 'a', 0), (2, 'b', 0)", "ingest").status_code == 200
    assert store.post("INSERT INTO ins (a) FORMAT CSV\n3\n4\n", "ingest").status_code == 200
    assert store.post('insert into ins -- note\n (a, b) Format JSONEachRow {"a": 5}', "ingest").status_code == 200
    assert store.post("INSERT INTO ins (a) VALUES", "ingest", b"(6)").status_code == 200
    assert store.post("INSERT INTO ins (a, b) VALUES (7, 'ü; FORMAT x')", "ingest").status_code == 200
    assert store.ok("SELECT groupArray(a) FROM (SELECT a FROM ins ORDER BY a)") == "[1,2,3,4,5,6,7]"
    assert store.ok("SELECT b FROM ins WHERE a = 7") == "ü; FORMAT x"


def test_native_whose_first_byte_looks_like_a_line_end_is_taken_as_it_is(store):
    names = [f"c{i}" for i in range(10)]
    store.ok(f"CREATE OR REPLACE TABLE ten ({', '.join(f'{n} UInt8' for n in names)}) ENGINE = Memory")
    body = store.post(f"SELECT {', '.join(f'toUInt8({i}) AS {n}' for i, n in enumerate(names))} FORMAT Native").content
    assert body[:1] == b"\n"
    assert store.post("INSERT INTO ten FORMAT Native", body=body).status_code == 200
    assert store.post(body=b"INSERT INTO ten FORMAT Native\n" + body).status_code == 200
    assert store.ok("SELECT count(), sum(c9) FROM ten") == "2\t18"


def test_a_client_that_goes_away_midway_leaves_nothing(store, table, small):
    def cut():
        yield small[: len(small) // 2]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        insert(store, cut())
    assert store.ok("SELECT 1") == "1"
    assert count(store) == 0


@pytest.mark.parametrize("seed", range(8))
def test_damaged_native_is_an_error_or_parses_but_never_kills_the_store(store, table, small, seed):
    rng = random.Random(seed)
    body = bytearray(small)
    for _ in range(rng.randint(1, 4)):
        body[rng.randrange(min(len(body), 200))] = rng.randrange(256)
    answer = insert(store, bytes(body))
    assert count(store) == (0 if answer.status_code >= 400 else count(store))
    assert store.ok("SELECT 1") == "1"


def test_rows_acknowledged_before_kill_9_are_there_after(starter, tmp_path, store):
    body = store.post(MAKE.format(rows=50_000, format="Native")).content
    first = starter(tmp_path / "data")
    first.ok("CREATE TABLE ins (a UInt32, b String, ts DateTime) ENGINE = MergeTree ORDER BY a")
    for _ in range(3):
        assert insert(first, body).status_code == 200
    first.process.kill()
    first.process.wait(30)
    again = starter(tmp_path / "data")
    assert count(again) == 150_000


def test_a_short_body_after_a_long_one_brings_only_its_own_rows(store, table):
    assert insert(store, b"1,long,1000000000\n" * 10_000, "CSV").status_code == 200
    assert insert(store, b"2,short,1000000000\n", "CSV").status_code == 200
    assert store.ok("SELECT b, count() FROM ins GROUP BY b ORDER BY b") == "long\t10000\nshort\t1"
