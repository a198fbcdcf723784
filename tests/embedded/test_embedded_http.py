"""The HTTP interface as curl, clickhouse-go, clickhouse-connect and browsers use it."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from sloengine.embedded import native
from sloengine.embedded.frames import FrameDecoder


def address(store) -> tuple[str, int]:
    url = httpx.URL(store.url)
    assert url.port
    return url.host, url.port


# -- raw HTTP ------------------------------------------------------------------------------------------------------


def test_ping_and_root_need_no_password(store):
    assert httpx.get(store.url + "ping").text == "Ok.\n"
    assert httpx.get(store.url).text == "Ok.\n"
    assert httpx.get(store.url + "nothing").status_code == 404


def test_a_query_by_get_by_post_and_split_over_both(store):
    auth = ("default", "adm")
    assert httpx.get(store.url, params={"query": "SELECT 1"}, auth=auth).text == "1\n"
    assert httpx.post(store.url, content=b"SELECT 2", auth=auth).text == "2\n"
    assert httpx.post(store.url, params={"query": "SELECT 3 +"}, content=b"4", auth=auth).text == "7\n"


def test_headers_of_an_answer(store):
    answer = store.post("SELECT number FROM numbers(3) FORMAT JSONEachRow", query_id="my-id")
    assert answer.headers["x-clickhouse-query-id"] == "my-id"
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["x-clickhouse-timezone"]
    assert answer.headers["x-clickhouse-server-display-name"] == "sloengine"
    summary = json.loads(answer.headers["x-clickhouse-summary"])
    assert summary["result_rows"] == "3" and int(summary["elapsed_ns"]) > 0


def test_formats_by_clause_header_and_parameter(store):
    assert json.loads(store.ok("SELECT 1 AS x FORMAT JSON"))["data"] == [{"x": 1}]
    assert store.ok("SELECT 1 AS x", default_format="JSONEachRow") == '{"x":1}'
    answer = httpx.post(
        store.url, content=b"SELECT 1 AS x", auth=("default", "adm"), headers={"X-ClickHouse-Format": "CSV"}
    )
    assert answer.text == "1\n"


def test_parameters_settings_and_database(store):
    assert store.ok("SELECT {a:UInt32} + 1, {s:String}", param_a="41", param_s="it's\\t") == "42\tit\\'s\\t"
    assert store.ok("SELECT getSetting('max_threads')", max_threads="1") == "1"
    assert store.ok("SELECT currentDatabase()") == "sloengine"
    assert store.ok("SELECT currentDatabase()", database="default") == "sloengine"
    assert store.ok("SELECT currentDatabase()", database="system") == "system"
    assert store.code("SELECT 1", database="nosuch") == 81


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELEC 1", 62, 400),
        ("SELECT * FROM nosuch", 60, 404),
        ("SELECT nosuch", 47, 404),
        ("SELECT toDate('x')", 38, 400),
    ],
)
def test_errors_are_shaped_like_clickhouse(store, sql, code, status):
    answer = store.post(sql)
    assert answer.status_code == status
    assert answer.headers["x-clickhouse-exception-code"] == str(code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert answer.text.count("DB::Exception") == 1


def test_unknown_settings_are_errors(store):
    assert store.code("SELECT 1", nosuch="1") == 115


@pytest.mark.parametrize("user", ["default", "ingest", "reader"])
def test_passwords_by_basic_by_headers_and_by_url(store, user):
    password = store.passwords[user]
    ways = [
        {"auth": (user, password)},
        {"headers": {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}},
        {"params": {"user": user, "password": password}},
    ]
    for way in ways:
        assert httpx.post(store.url, content=b"SELECT 1", **way).text == "1\n"
    wrong = [
        {"auth": (user, "no")},
        {"headers": {"X-ClickHouse-User": user}},
        {"params": {"user": user, "password": ""}},
    ]
    for way in wrong:
        answer = httpx.post(store.url, content=b"SELECT 1", **way)
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (401, "516")


def test_a_very_long_query_is_refused_quickly(store):
    began = time.monotonic()
    answer = store.post("SELECT '" + "x" * (8 << 20) + "'")
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (413, "307")
    assert time.monotonic() - began < 5


def test_external_tables_are_refused_with_a_reason(store):
    answer = httpx.post(store.url, data={"query": "SELECT 1"}, files={"t": b"1"}, auth=("default", "adm"))
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (501, "48")


def test_compressed_answers(store):
    sql = "SELECT number FROM numbers(300000)"
    plain = store.post(sql).content
    framed = store.post(sql, compress="1").content
    decoder = FrameDecoder(1 << 26)
    assert decoder.feed(framed) + decoder.finish() == plain
    auth = ("default", "adm")
    with httpx.stream("POST", store.url, content=sql, auth=auth, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        raw = b"".join(answer.iter_raw())
    assert len(raw) < len(plain) and gzip.decompress(raw) == plain


def test_errors_are_framed_too_when_the_client_asked_for_frames(store):
    answer = store.post("SELECT nosuch", compress="1")
    assert FrameDecoder(1 << 20).feed(answer.content).startswith(b"Code: 47.")


@pytest.mark.parametrize(
    "fmt", ["Native", "CSV", "TabSeparated", "JSONEachRow", "RowBinary", "JSONCompactEachRow", "TSVRaw"]
)
def test_large_results_are_the_same_bytes_streamed_as_whole(store, fmt, tmp_path):
    sql = f"SELECT number, toString(number) AS s FROM numbers(500000) FORMAT {fmt}"
    streamed = store.post(sql)
    assert "content-length" not in streamed.headers
    whole = store.post(f"INSERT INTO FUNCTION file('{tmp_path / fmt}', {fmt}) {sql.removesuffix(' FORMAT ' + fmt)}")
    assert whole.status_code == 200, whole.text
    assert streamed.content == (tmp_path / fmt).read_bytes()


def test_an_error_midway_breaks_the_answer_off(store):
    sql = "SELECT throwIf(number = 3000000, 'midway'), toString(number) FROM numbers(4000000) SETTINGS max_threads = 1"
    plain = {"accept-encoding": "identity"}
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("POST", store.url, content=sql, auth=("default", "adm"), headers=plain, timeout=30) as answer,
    ):
        assert answer.status_code == 200
        received = b""
        for chunk in answer.iter_raw():
            received = (received + chunk)[-4096:]
            tag = answer.headers["x-clickhouse-exception-tag"].encode()
    assert b"__exception__" in received and tag in received and b"midway" in received


def test_ping_answers_while_all_query_slots_are_busy(store):
    slow = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"
    threads = [
        threading.Thread(target=store.post, args=(slow, "reader"), kwargs={"max_execution_time": "1"})
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert httpx.get(store.url + "ping").text == "Ok.\n"
    assert time.monotonic() - began < 1
    for thread in threads:
        thread.join()


def test_a_time_limit_is_a_clickhouse_timeout(store):
    assert (
        store.code("SELECT sum(sipHash64(number)) FROM numbers(100000000000)", "reader", max_execution_time="1") == 159
    )


def test_clickhouse_go_is_greeted_with_the_bytes_it_decodes(store):
    """As clickhouse-go 2.47 reads it: BlockInfo, 4 columns, 1 row, a custom-serialization byte after each type."""
    sql = "SELECT displayName(), version(), revision(), timezone()"
    got = store.post(
        sql, "ingest", client_protocol_version="54460", default_format="Native", database="sloengine"
    ).content
    version = store.ok("SELECT version()").encode()
    timezone = store.ok("SELECT timezone()").encode()

    def text(data: bytes) -> bytes:
        return bytes([len(data)]) + data

    assert got == (
        bytes.fromhex("010002ffffffff00") + b"\x04\x01"
        + text(b"displayName()") + text(b"String") + b"\x00" + text(b"sloengine")
        + text(b"version()") + text(b"String") + b"\x00" + text(version)
        + text(b"revision()") + text(b"UInt32") + b"\x00" + bytes(4)
        + text(b"timezone()") + text(b"String") + b"\x00" + text(timezone)
    )  # fmt: skip


def test_the_greeting_follows_the_revision_asked_for():
    old = native.handshake_block(54405, "d", "v", "t")
    assert old.startswith(bytes.fromhex("010002ffffffff00")) and b"UInt32\x00\x00\x00\x00" in old
    assert native.handshake_block(1, "d", "v", "t").startswith(b"\x04\x01")
    assert not native.is_handshake("SELECT displayName(), version(), revision(), timezone(), 1")


# -- clickhouse-connect --------------------------------------------------------------------------------------------


@pytest.fixture
def client(store):
    host, port = address(store)
    made = clickhouse_connect.get_client(host=host, port=port, username="default", password="adm", database="sloengine")
    yield made
    made.close()


def test_clickhouse_connect_round_trip(client):
    client.command(
        "CREATE OR REPLACE TABLE cc (m Map(LowCardinality(String), String), ts DateTime64(9, 'UTC'),"
        " l LowCardinality(String), n Nullable(Float64), a Array(UInt32)) ENGINE = MergeTree ORDER BY ts"
    )
    when = datetime.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=datetime.UTC)
    rows = [[{"k": "v"}, when, "x", None, [1, 2]], [{}, when, "y", 1.5, []]]
    read = [tuple(value.replace(tzinfo=None) if value is when else value for value in row) for row in rows]
    summary = client.insert("cc", rows, column_names=["m", "ts", "l", "n", "a"])
    assert summary.written_rows == 2
    result = client.query("SELECT m, ts, l, n, a FROM cc ORDER BY l")
    assert result.result_rows == read
    assert client.query("SELECT {x:UInt8} + 1", parameters={"x": 1}).result_rows == [(2,)]
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 1}).result_rows == [(1,)]
    assert client.query("SELECT * FROM cc LIMIT 0").result_rows == []
    with pytest.raises(DatabaseError, match="60"):
        client.query("SELECT * FROM nosuch")
    with client.query_rows_stream("SELECT number FROM numbers(1000000)") as stream:
        assert sum(1 for _ in stream) == 1_000_000


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_clickhouse_connect_in_every_compression(store, compress):
    host, port = address(store)
    made = clickhouse_connect.get_client(
        host=host, port=port, username="ingest", password="ing", database="sloengine", compress=compress
    )
    store.ok("CREATE OR REPLACE TABLE ccz (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    made.insert("ccz", [[i, "x" * 50] for i in range(5000)], column_names=["a", "s"])
    made.close()
    assert store.ok("SELECT count(), sum(a) FROM ccz") == "5000\t12497500"


def test_clickhouse_connect_as_a_reader(store):
    host, port = address(store)
    made = clickhouse_connect.get_client(host=host, port=port, username="reader", password="rdr", database="sloengine")
    assert made.query("SELECT 1").result_rows == [(1,)]
    with pytest.raises(DatabaseError, match="497"):
        made.command("DROP TABLE cc")
    made.close()


# -- starting and stopping -----------------------------------------------------------------------------------------


def refused(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sloengine.embedded", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_STORE_")} | environment,
    )
    assert done.returncode == 2, done
    return done.stderr


def test_it_does_not_listen_beyond_loopback_without_every_password(tmp_path):
    beyond = ("--path", str(tmp_path / "d"), "--port", "0", "--host", "0.0.0.0")
    assert "every role needs a password" in refused(*beyond)
    some = {"SLOENGINE_STORE_ADMIN_PASSWORD": "x", "SLOENGINE_STORE_READER_PASSWORD": "y"}
    assert "ingest" in refused(*beyond, **some)


def test_a_path_and_a_port_belong_to_one_process(store, tmp_path):
    assert f"pid {store.process.pid}" in refused("--path", str(store.path), "--port", "0")
    _, port = address(store)
    assert "cannot listen" in refused("--path", str(tmp_path / "d"), "--port", str(port))


def test_without_passwords_loopback_is_open_but_not_to_web_pages(starter, tmp_path):
    open_store = starter(tmp_path / "data", "--database", "other", passwords={})
    assert httpx.post(open_store.url, content=b"SELECT currentDatabase()").text == "other\n"
    assert open_store.code("CREATE TABLE t (a Int8) ENGINE = Memory", "reader") == 497
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        answer = httpx.post(open_store.url, content=b"SELECT 1", headers=headers)
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (403, "497")
    assert open_store.stop() == 0
    assert starter(tmp_path / "data", "--database", "other", passwords={}).ok("SELECT 1") == "1"


def test_a_half_sent_request_does_not_hold_the_store(store):
    with socket.create_connection(address(store)) as half:
        half.sendall(
            b"POST /?query=INSERT+INTO+x+FORMAT+CSV HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n1"
        )
        assert store.ok("SELECT 1") == "1"


def test_stopping_does_not_wait_for_a_long_query(starter, tmp_path):
    own = starter(tmp_path / "data")
    slow = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            own.post(slow)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - began < 10
    thread.join()


def test_a_client_that_leaves_a_large_result_frees_the_store(store):
    sql = "SELECT number, randomPrintableASCII(100) FROM numbers(100000000) FORMAT TSV"
    with httpx.stream("POST", store.url, content=sql, auth=("default", "adm")) as answer:
        next(answer.iter_raw())
    until = time.monotonic() + 10
    while (
        store.ok("SELECT count() FROM system.processes WHERE query LIKE '%Printable%' AND query NOT LIKE '%LIKE%'")
        != "0"
    ):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_small_answers_do_not_wait_for_a_delayed_acknowledgement(store):
    seconds = []
    with httpx.Client() as client:
        for _ in range(15):
            began = time.perf_counter()
            client.get(store.url + "ping")
            seconds.append(time.perf_counter() - began)
    # Nagle's algorithm against delayed acknowledgements costs 40 ms on every answer; the best of 14 is free of other noise.
    assert min(seconds[1:]) < 0.03
