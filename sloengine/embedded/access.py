"""Who may run what. Pure: the engine's classification and parse go in, a reason to refuse (or None) comes out.

chDB has no users and no grants, and `SET readonly=1` leaves holes (INTO OUTFILE, the scalar function file(), KILL), so
the decision is made here from three views of the statement that the engine gives without running it: its class, its AST
dump and its normalised text. `engine` adds readonly=1 and limits behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sloengine.embedded import statements
from sloengine.embedded.settings import Role
from sloengine.embedded.statements import names

_READ_ROOTS = frozenset(
    {
        "SelectWithUnionQuery",
        "SelectIntersectExceptQuery",
        "Explain",
        "DescribeQuery",
        "ShowTables",
        "ShowColumns",
        "ShowIndexes",
        "ShowFunctions",
        "ShowSetting",
        "ShowEngineQuery",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "ShowCreateDatabaseQuery",
        "ShowCreateDictionaryQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "ExistsDatabaseQuery",
        "ExistsDictionaryQuery",
    }
)

# Table functions that touch neither files, network, other databases nor processes. All others are refused by name.
SAFE_TABLE_FUNCTIONS = names(
    """
    numbers numbers_mt zeros zeros_mt generaterandom generateseries generate_series values null view primes
    sqlstandardvalues format
    """
)

# Scalar functions that read files, reach the network or look into the process. `file` is also a table function.
DENIED_FUNCTIONS = names(
    """
    file catboostevaluate reversednsquery showcertificate hascolumnintable joinget joingetornull logtrace
    addresstoline addresstolinewithinlines addresstosymbol demangle getserversetting getmacro currentrequesturl
    executable filesystemavailable filesystemcapacity filesystemunreserved getoskernelversion evalmlmethod
    globalvariable
    """
)

# Tables of `system` that hold no other user's queries, no host paths, no process insides.
READABLE_SYSTEM_TABLES = names(
    """
    aggregate_function_combinators build_options codecs collations columns completions contributors
    data_skipping_index_types data_skipping_indices data_type_families database_engines databases dictionaries
    dictionary_layouts events asynchronous_metrics formats functions graphite_retentions histogram_metrics
    keywords licenses merge_tree_settings merges metrics mutations numbers numbers_mt one parts parts_columns
    primes projection_parts projection_parts_columns projections replicas settings settings_changes
    table_engines table_functions tables time_zones unicode view_refreshes warnings zeros zeros_mt tokenizers
    clusters current_roles enabled_roles documentation
    """
)
# Formats that describe themselves or need no description: none opens a schema file or asks a registry.
_INGEST_FORMATS = re.compile(
    r"Native|Values|Parquet|Arrow|ArrowStream|ORC|MsgPack|Avro|BSONEachRow|"
    r"(RowBinary|CSV|TSV|TSVRaw|TabSeparated|TabSeparatedRaw|JSON)\w*",
    re.IGNORECASE,
)
# What clients look up before they insert.
_INGEST_TABLES = frozenset({"system.one", "system.settings"})


@dataclass(frozen=True, slots=True)
class Node:
    """One line of EXPLAIN AST."""

    depth: int
    kind: str
    rest: str

    @property
    def subject(self) -> str:
        """`a.b` of `TableIdentifier a.b (alias x) (children 1)`."""
        return re.sub(r" \((?:alias .*|children \d+)\).*$", "", self.rest)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the engine says about one SQL text without running it."""

    query_class: str
    count: int
    ast: tuple[Node, ...]
    normalised: str

    @property
    def root(self) -> str:
        return self.ast[0].kind if self.ast else ""


@dataclass(frozen=True, slots=True)
class Scope:
    """What surrounds a decision: the database the store serves, and names the engine knows (functions lower-case)."""

    served: str
    table_functions: frozenset[str]
    network_functions: frozenset[str]
    system_tables: frozenset[str]


def parse_ast(dump: str) -> tuple[Node, ...]:
    """EXPLAIN AST's raw text as nodes. Literals are escaped by the engine, so one line is one node."""
    nodes = []
    for line in dump.split("\n"):
        if line:
            bare = line.lstrip(" ")
            kind, _, rest = bare.partition(" ")
            nodes.append(Node(len(line) - len(bare), kind, rest))
    return tuple(nodes)


def refusal(role: Role, statement: Statement, scope: Scope) -> str | None:
    """Why `role` may not run this statement (which brings no rows along), or None."""
    if role is Role.ADMIN:
        # Readers may call every function: unlike in a view, what one calls is not held by their connection's readonly.
        return _refuse_functions(statement, scope) if statement.root == "CreateSQLFunctionQuery" else None
    return _refuse_read(statement, scope) or (_refuse_ingest_read(statement, scope) if role is Role.INGEST else None)


def insert_refusal(role: Role, ast: tuple[Node, ...], fmt: str, database: str, scope: Scope) -> str | None:
    """Why `role` may not run an INSERT with rows in format `fmt` whose head (no data, no SETTINGS) has this AST."""
    if role is Role.ADMIN:
        return None
    if role is Role.READER:
        return "a reader may not INSERT"
    if not _INGEST_FORMATS.fullmatch(fmt):
        return f"format {fmt} can name schemas or files on the host"
    children = [node for node in ast if node.depth == 1 or node.kind == "Function"]
    if ast[0].kind != "InsertQuery" or any(node.kind not in ("Identifier", "ExpressionList") for node in children):
        return "ingest may only INSERT rows it brings along into a table"
    path = [node.subject for node in children if node.kind == "Identifier"]
    target = path[0] if len(path) == 2 else database
    if target != scope.served:
        return f"ingest may only INSERT into database {scope.served}"
    return None


def _refuse_read(statement: Statement, scope: Scope) -> str | None:
    if statement.count != 1:
        return "multi-statements are not allowed"
    if statement.query_class != "READ_ONLY" or statement.root not in _READ_ROOTS:
        return "only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN are allowed"
    if statement.root != "Explain" and any(n.depth == 1 and n.kind == "Literal" for n in statement.ast):
        return "INTO OUTFILE is not allowed"
    return _refuse_functions(statement, scope) or _refuse_tables(statement, scope)


def _refuse_functions(statement: Statement, scope: Scope) -> str | None:
    called, bare = statements.called_and_bare_names(statement.normalised)
    in_ast = {node.subject.lower() for node in statement.ast if node.kind == "Function"}
    for name in sorted(bare | called | in_ast):
        if name in DENIED_FUNCTIONS:
            return f"function {name} reaches outside the store (qualify the name if it is a column)"
        if name in scope.network_functions:
            return f"function {name} reaches the network"
    for name in sorted(called | in_ast):
        if name in scope.table_functions and name not in SAFE_TABLE_FUNCTIONS:
            return f"table function {name} is not allowed"
    return None


def _refuse_tables(statement: Statement, scope: Scope) -> str | None:
    for node in statement.ast:
        if node.kind not in ("TableIdentifier", "Identifier"):
            continue
        database, _, table = node.subject.partition(".")
        if database == "default" and (table or statement.root not in ("SelectWithUnionQuery", "Explain")):
            return "the engine's own database default is not readable: it can name files"
        # `x IN system.processes` is an Identifier, as a column path would be: only tables' names are refused there.
        hidden = table not in READABLE_SYSTEM_TABLES and (
            node.kind == "TableIdentifier" or table in scope.system_tables
        )
        if database == "system" and table and hidden:
            return f"system.{table} is not readable"
    return None


def _refuse_ingest_read(statement: Statement, scope: Scope) -> str | None:
    if statement.root == "DescribeQuery":
        return _refuse_ingest_describe(statement, scope)
    if statement.root != "SelectWithUnionQuery":
        return "ingest may only INSERT, DESCRIBE and ask for the version"
    for node in statement.ast:
        if node.kind == "TableIdentifier" and node.subject not in _INGEST_TABLES:
            return "ingest may not read data"
        if node.kind == "Identifier" and "." in node.subject:
            return "ingest may not read data"
    called = {node.subject.lower() for node in statement.ast if node.kind == "Function"}
    if unknown := called - _INGEST_FUNCTIONS:
        return f"ingest may not call {sorted(unknown)[0]}"
    return None


_INGEST_FUNCTIONS = names(
    """
    version timezone servertimezone displayname revision currentdatabase currentuser hostname fqdn uptime equals
    in tuple and or like notequals
    """
)


def _refuse_ingest_describe(statement: Statement, scope: Scope) -> str | None:
    for node in statement.ast[1:]:
        if node.kind not in ("TableExpression", "TableIdentifier", "Identifier"):
            return "ingest may only DESCRIBE tables"
        database, dot, _ = node.subject.partition(".")
        if node.kind == "TableIdentifier" and dot and database != scope.served:
            return f"ingest may only DESCRIBE tables of database {scope.served}"
    return None
