"""What the HTTP endpoint costs on top of the engine: the same Native bytes, side by side, in alternating order.

Each side is a fresh process with its own store and the same table. In-process is the fastest way in that keeps the
promise that an insert is whole: `INSERT … FROM INFILE` of a memfd as one block, body already in memory as `bytes`.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 500_000
ROUNDS = 21
DDL = """CREATE TABLE m (ResourceAttributes Map(LowCardinality(String), String), ScopeName String,
 ServiceName LowCardinality(String), MetricName String, MetricUnit String,
 Attributes Map(LowCardinality(String), String),
 StartTimeUnix DateTime64(9), TimeUnix DateTime64(9), Value Float64, Flags UInt32, AggregationTemporality Int32,
 IsMonotonic Bool) ENGINE = MergeTree PARTITION BY toDate(TimeUnix) ORDER BY (ServiceName, MetricName, TimeUnix)"""
MAKE = f"""SELECT map('service.name', concat('svc', toString(number % 50)), 'edge.gateway.id', toString(number % 200))
 ::Map(LowCardinality(String), String) AS ResourceAttributes, 'scope' AS ScopeName,
 concat('svc', toString(number % 50))::LowCardinality(String) AS ServiceName,
 concat('edge.inference.', toString(number % 10)) AS MetricName, '1' AS MetricUnit,
 map('edge.model.name', concat('m', toString(number % 20)), 'edge.model.version', toString(number % 3))
 ::Map(LowCardinality(String), String) AS Attributes, toDateTime64('2026-11-01 00:00:00', 9) AS StartTimeUnix,
 toDateTime64('2026-11-01 00:00:00', 9) + intDiv(number, 10) AS TimeUnix, rand() / 1e9 AS Value, toUInt32(0) AS Flags,
 2::Int32 AS AggregationTemporality, true AS IsMonotonic FROM numbers({ROWS}) FORMAT Native"""

# The in-process side: reads a line, inserts the body it holds, answers with the seconds it took.
IN_PROCESS = """
import os, sys, time
from chdb import _chdb
path, ddl, body_path = sys.argv[1:4]
connection = _chdb.connect(path)
connection.query('CREATE DATABASE d ENGINE = Atomic', 'Null')
connection.query('USE d', 'Null')
connection.query(ddl, 'Null')
connection.query("SET async_insert = 0, min_insert_block_size_rows = 1000000000000,"
                 " min_insert_block_size_bytes = 1000000000000, max_insert_threads = 1", 'Null')
body = open(body_path, 'rb').read()
print('ready', flush=True)
for line in sys.stdin:
    connection.query('TRUNCATE TABLE m', 'Null')
    began = time.perf_counter()
    fd = os.memfd_create('body')
    os.write(fd, body)
    connection.query(f"INSERT INTO m FROM INFILE '/proc/self/fd/{fd}' COMPRESSION 'none' FORMAT Native", 'Null')
    os.close(fd)
    print(time.perf_counter() - began, flush=True)
"""


def run() -> list[dict[str, object]]:
    """One line for `make bench`."""
    with tempfile.TemporaryDirectory() as folder:
        direct, endpoint = _measure(Path(folder))
    ours_ms, theirs_ms = statistics.median(endpoint) * 1e3, statistics.median(direct) * 1e3
    # Of each pair, then the median: another process that takes a core for some rounds slows both sides of a pair.
    ratio = statistics.median(ours / theirs for ours, theirs in zip(endpoint, direct, strict=True))
    return [
        {
            "name": "embedded endpoint insert vs in-process chDB",
            "ratio": round(ratio, 3),
            "unit": "x",
            "goal": 1.3,
            "better": "lower",
            "ok": ratio <= 1.3,
            "detail": f"{ROWS} rows: {ours_ms:.0f} ms vs {theirs_ms:.0f} ms",
        }
    ]


def _measure(folder: Path) -> tuple[list[float], list[float]]:
    store = subprocess.Popen(
        [sys.executable, "-m", "sloengine.embedded", "--path", str(folder / "a"), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_STORE_")},
    )
    assert store.stdout is not None
    connection = http.client.HTTPConnection(store.stdout.readline().strip().removeprefix("listening on http://"))
    body = _post(connection, "/", MAKE.encode())
    (folder / "body").write_bytes(body)
    _post(connection, "/", DDL.encode())
    direct = subprocess.Popen(
        [sys.executable, "-c", IN_PROCESS, str(folder / "b"), DDL, str(folder / "body")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        return _alternate(connection, direct, body)
    finally:
        for process in (store, direct):
            process.kill()
            process.communicate()


def _alternate(
    connection: http.client.HTTPConnection, direct: subprocess.Popen[str], body: bytes
) -> tuple[list[float], list[float]]:
    assert direct.stdin is not None and direct.stdout is not None
    assert direct.stdout.readline() == "ready\n"
    in_process, over_http = [], []
    for _ in range(ROUNDS + 2):
        direct.stdin.write("go\n")
        direct.stdin.flush()
        in_process.append(float(direct.stdout.readline()))
        _post(connection, "/", b"TRUNCATE TABLE m")
        began = time.perf_counter()
        _post(connection, "/?query=INSERT+INTO+m+FORMAT+Native", body)
        over_http.append(time.perf_counter() - began)
    return in_process[2:], over_http[2:]


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(data.decode())
    return data


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
