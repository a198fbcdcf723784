"""Who may run what: one table of (role, statement, ClickHouse code or 0 for allowed), sneaky ones included."""

from __future__ import annotations

import httpx
import pytest

DENIED = 497
READONLY = 164


@pytest.fixture(scope="module")
def secret(store, tmp_path_factory):
    """A file that only an administrator may reach, and tables around it."""
    path = tmp_path_factory.mktemp("host") / "secret.csv"
    path.write_text("s3cret,1\n")
    for sql in (
        "CREATE TABLE roles_t (a UInt32, b String) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO roles_t VALUES (1, 'x')",
        "CREATE TABLE roles_file (`file` UInt8) ENGINE = Memory",
        "CREATE DATABASE elsewhere ENGINE = Atomic",
        "CREATE TABLE elsewhere.t (a UInt32) ENGINE = MergeTree ORDER BY a",
        "CREATE VIEW roles_v AS SELECT a + 1 AS a1 FROM roles_t",
        "CREATE FUNCTION roles_double AS x -> x * 2",
    ):
        store.ok(sql)
    return path


READS = [
    "SELECT 1",
    "SELECT count() FROM roles_t",
    "SELECT * FROM sloengine.roles_t WHERE a IN (SELECT a FROM roles_t)",
    "WITH x AS (SELECT a FROM roles_t) SELECT * FROM x UNION ALL SELECT 2",
    "(SELECT 1) INTERSECT (SELECT 1)",
    "SELECT a1 FROM roles_v",
    "SELECT roles_double(a) FROM roles_t",
    "SHOW TABLES",
    "SHOW DATABASES",
    "SHOW CREATE TABLE roles_t",
    "SHOW COLUMNS FROM roles_t",
    "DESCRIBE TABLE roles_t",
    "DESC sloengine.roles_t",
    "EXISTS TABLE roles_t",
    "EXPLAIN SELECT * FROM roles_t",
    "EXPLAIN PIPELINE SELECT count() FROM roles_t",
    "SELECT * APPLY(toString) FROM roles_t",
    "SELECT arrayMap(x -> x + 1, [1, 2])",
    "SELECT count() FROM numbers(10)",
    "SELECT name FROM system.tables WHERE database = currentDatabase()",
    "SELECT name, value FROM system.settings",
    "SELECT count() FROM system.columns",
    "SELECT table_name FROM information_schema.tables LIMIT 1",
    "SELECT r.`file` FROM roles_file AS r",
    "SELECT a FROM roles_t ORDER BY a LIMIT 1 BY a FORMAT JSONEachRow",
    "SELECT 'INTO OUTFILE; DROP TABLE roles_t -- file('",
    "SELECT 1 /* ; SELECT 2 */ -- ; SELECT 3",
]
SNEAKY_READS = [
    "SELECT file('{f}')",
    "SELECT fi/* */le('{f}')",
    "SELECT /* x */ file /* y */ ('{f}')",
    "SELECT `file`('{f}')",
    "SELECT \"file\"('{f}')",
    "SELECT `fi\\x6ce`('{f}')",
    "SELECT FILE('{f}')",
    "SELECT (SELECT file('{f}'))",
    "WITH file('{f}') AS x SELECT x",
    "WITH x AS (SELECT file('{f}') AS y) SELECT y FROM x",
    "SELECT 1 UNION ALL SELECT length(file('{f}'))",
    "SELECT arrayMap(x -> file(x), ['{f}'])",
    "SELECT arrayMap(file, ['{f}'])",
    "SELECT * APPLY(file) FROM (SELECT '{f}')",
    "SELECT * APPLY file FROM (SELECT '{f}')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{f}')",
    "SELECT COLUMNS('.*') APPLY(`fi\\x6ce`) FROM (SELECT '{f}')",
    "SELECT * REPLACE(file('{f}') AS a) FROM roles_t",
    "SELECT 1 LIMIT length(file('{f}'))",
    "SELECT a FROM roles_t ORDER BY file('{f}')",
    "SELECT sum(a) OVER (ORDER BY file('{f}')) FROM roles_t",
    "SELECT 1 QUALIFY file('{f}') = 'x'",
    "EXPLAIN SELECT file('{f}')",
    "EXPLAIN QUERY TREE SELECT file('{f}')",
    "EXPLAIN SYNTAX SELECT file('{f}')",
    "DESCRIBE (SELECT file('{f}'))",
    "SHOW TABLES WHERE file('{f}') = ''",
    "SHOW COLUMNS FROM roles_t WHERE file('{f}') = ''",
    "SELECT * FROM file('{f}')",
    "SELECT * FROM file('{f}', 'CSV', 'a String, b String')",
    "DESCRIBE file('{f}')",
    "DESCRIBE TABLE file('{f}')",
    "SELECT * FROM fileCluster('default', '{f}')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM clusterAllReplicas('default', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM sqlite('{f}', 't')",
    "SELECT * FROM executable('x.sh', 'CSV', 'a String')",
    "SELECT * FROM python('x')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM input('a String')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM merge('system', '^processes$')",
    "SELECT * FROM loop(system, one) LIMIT 1",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "SELECT * FROM dictionary('x')",
    "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:1', 'd', 't', 'u', 'p') COLUMNS (a Int32)",
    "SELECT * FROM default.`{f}`",
    "SELECT * FROM `default`.`{f}`",
    "SELECT 1 IN default.`{f}`",
    "DESCRIBE default.`{f}`",
    "EXISTS TABLE default.`{f}`",
    "SHOW CREATE TABLE default.`{f}`",
    "SELECT hasColumnInTable('127.0.0.1:1', 'u', 'p', 'd', 't', 'c')",
    "SELECT reverseDNSQuery('127.0.0.1')",
    "SELECT aiGenerate('x')",
    "SELECT joinGet('default.`{f}`', 'a', 1)",
    "SELECT 1 INTO OUTFILE '/tmp/embedded-outfile'",
    "SELECT 1 INTO OUTFILE '/tmp/embedded-outfile' TRUNCATE FORMAT CSV",
    "SELECT * FROM system.processes",
    "SELECT 1 IN system.processes",
    "SELECT * FROM system.server_settings",
    "SELECT * FROM system.stack_trace",
    "SHOW PROCESSLIST",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "SET max_threads = 1",
    "SET readonly = 0",
    "USE system",
    "DROP TABLE roles_t",
    "TRUNCATE TABLE roles_t",
    "CREATE TABLE roles_u (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE roles_u (a Int8)",
    "CREATE VIEW roles_w AS SELECT * FROM file('{f}')",
    "CREATE DICTIONARY roles_d (a UInt8) PRIMARY KEY a SOURCE(FILE(path '{f}' format 'CSV')) LAYOUT(FLAT())",
    "CREATE FUNCTION roles_f AS x -> file(x)",
    "ALTER TABLE roles_t DELETE WHERE 1",
    "DELETE FROM roles_t WHERE 1",
    "OPTIMIZE TABLE roles_t",
    "RENAME TABLE roles_t TO roles_x",
    "ATTACH TABLE roles_t",
    "DETACH TABLE roles_t",
    "BACKUP TABLE roles_t TO File('/tmp/embedded-backup')",
    "GRANT SELECT ON *.* TO reader",
    "INSERT INTO FUNCTION file('/tmp/embedded-outfile', 'CSV', 'a Int8') SELECT 1",
    "INSERT INTO roles_t SELECT 1, 'y'",
    "INSERT INTO roles_t FROM INFILE '{f}' FORMAT CSV",
]


@pytest.mark.parametrize("sql", READS)
def test_a_reader_may_read(store, secret, sql):
    answer = store.post(sql, "reader")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("user", ["reader", "ingest"])
@pytest.mark.parametrize("sql", SNEAKY_READS)
def test_neither_reader_nor_ingest_gets_past_the_store(store, secret, user, sql):
    answer = store.post(sql.replace("{f}", str(secret)), user)
    assert answer.status_code >= 400, answer.text
    assert "s3cret" not in answer.text
    # 46 unknown function (names are case-sensitive), 62 not even valid SQL.
    assert int(answer.headers["x-clickhouse-exception-code"]) in (DENIED, 46, 62)
    assert store.ok("SELECT count() FROM roles_t") == "1"


@pytest.mark.parametrize(
    ("user", "sql", "code"),
    [
        ("reader", "INSERT INTO roles_t VALUES (2, 'y')", DENIED),
        ("reader", "INSERT INTO roles_t FORMAT CSV\n2,y", DENIED),
        ("reader", "SELECT 1 SETTINGS readonly = 0", READONLY),
        ("reader", "SELECT 1 SETTINGS max_execution_time = 0", READONLY),
        ("reader", "SELECT * FROM numbers(2000000) FORMAT Null", 396),
        ("ingest", "SELECT a FROM roles_t", DENIED),
        ("ingest", "SELECT * FROM system.tables", DENIED),
        ("ingest", "SELECT 1 IN sloengine.roles_t", DENIED),
        ("ingest", "EXPLAIN SELECT * FROM roles_t", DENIED),
        ("ingest", "SHOW TABLES", DENIED),
        ("ingest", "DESCRIBE elsewhere.t", DENIED),
        ("ingest", "DESCRIBE (SELECT * FROM roles_t)", DENIED),
        ("ingest", "INSERT INTO elsewhere.t VALUES (1)", DENIED),
        ("ingest", "INSERT INTO `elsewhere`.t FORMAT CSV\n1", DENIED),
        ("ingest", "INSERT INTO system.one VALUES (1)", DENIED),
        ("ingest", "INSERT INTO roles_t SELECT * FROM roles_t", DENIED),
        ("ingest", "INSERT INTO roles_t WITH 1 AS x SELECT x, 'y'", DENIED),
        ("ingest", "INSERT INTO roles_t VALUES (2, file('/etc/passwd'))", 344),
        ("ingest", "INSERT INTO roles_t VALUES (2, (SELECT b FROM roles_t))", 344),
        ("ingest", "INSERT INTO roles_t FORMAT Template\n2", DENIED),
        ("ingest", "INSERT INTO roles_t FORMAT Protobuf\n2", DENIED),
        ("ingest", "SELECT 1", 0),
        ("ingest", "SELECT version(), timezone()", 0),
        ("ingest", "SELECT name, value FROM system.settings LIMIT 1", 0),
        ("ingest", "DESCRIBE TABLE roles_t", 0),
        ("ingest", "DESCRIBE TABLE sloengine.roles_t", 0),
        ("default", "SELECT 1; SELECT 2", 62),
        ("reader", "SELECT 1; DROP TABLE roles_t", 62),
        ("default", "SELECT count() FROM system.processes", 0),
    ],
)
def test_what_each_role_is_answered(store, secret, user, sql, code):
    assert store.code(sql, user) == code
    assert store.ok("SELECT count() FROM roles_t") == "1"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("CREATE FUNCTION roles_g AS x -> x + 1", 0),
        ("CREATE FUNCTION roles_f AS x -> file(x)", DENIED),
        ("create or replace /* x */ function roles_f AS x -> `fi\\x6ce`(x)", DENIED),
        ("CREATE FUNCTION IF NOT EXISTS roles_f AS x -> arrayMap(file, [x])", DENIED),
        ("CREATE FUNCTION roles_f AS () -> (SELECT * FROM url('http://127.0.0.1:1'))", DENIED),
    ],
)
def test_not_even_an_administrator_makes_a_function_that_takes_readers_outside(store, secret, sql, code):
    """A reader may call any function, and readonly does not hold the scalar function file()."""
    assert store.code(sql) == code
    assert store.code(f"SELECT roles_f('{secret}')", "reader") == 46
    assert store.code(sql, "reader") == DENIED


def test_identifiers_from_parameters_are_judged_too(store, secret):
    sql = "SELECT * FROM {d:Identifier}.{t:Identifier}"
    assert store.code(sql, "reader", param_d="system", param_t="processes") == DENIED
    assert store.code(sql, "reader", param_d="default", param_t=str(secret)) == DENIED
    assert store.code(sql, "reader", param_d="sloengine", param_t="roles_t") == 0


def test_a_decision_is_not_reused_for_another_role_database_or_parameter(store, secret):
    assert store.code("SHOW TABLES", "reader") == 0
    assert store.code("SHOW TABLES", "ingest") == DENIED
    assert store.code("INSERT INTO t VALUES (1)", "ingest", database="elsewhere") == DENIED
    assert store.code("SELECT * FROM processes", "reader", database="system") == DENIED


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("max_execution_time", "0", 0),
        ("max_memory_usage", "0", 0),
        ("output_format_json_quote_64bit_integers", "1", 0),
        ("readonly", "0", READONLY),
        ("allow_introspection_functions", "1", READONLY),
        ("additional_result_filter", "1", READONLY),
        ("format_schema", "/etc/passwd:x", READONLY),
        ("nosuch", "1", 115),
    ],
)
def test_a_reader_can_not_loosen_what_holds_it(store, name, value, code):
    assert store.code("SELECT 1", "reader", **{name: value}) == code


def test_a_reader_can_not_raise_its_limits(store):
    sql = "SELECT getSetting('max_execution_time'), getSetting('max_result_rows'), getSetting('max_memory_usage')"
    asked = {"max_execution_time": "0", "max_result_rows": "0", "max_memory_usage": "99000000000"}
    assert store.ok(sql, "reader", **asked).split() == ["30", "1000000", "2000000000"]
    assert store.ok("SELECT getSetting('max_execution_time')", "reader", max_execution_time="5") == "5"


def test_a_get_request_can_not_change_anything(store):
    assert store.code("SELECT 1") == 0
    answer = httpx.get(
        store.url, params={"query": "CREATE TABLE got (a Int8) ENGINE = Memory"}, auth=("default", "adm")
    )
    assert answer.headers["x-clickhouse-exception-code"] == str(READONLY)


def test_what_an_administrator_puts_into_a_view_is_still_held_by_readonly(store, secret):
    """A view over file() is the administrator's word, yet a reader's connection is read-only and the engine refuses."""
    store.ok(f"CREATE OR REPLACE VIEW roles_fv AS SELECT * FROM file('{secret}', 'CSV', 'a String, b UInt8')")
    assert "s3cret" not in store.post("SELECT * FROM roles_fv", "reader").text
    assert "s3cret" in store.ok("SELECT * FROM roles_fv")
