"""Which of a request's URL parameters are settings, and which of those a role may set. Pure.

Not allowed is not ignored: a setting that a role may not change is an error, as on a server. Only settings that would
change how an acknowledged insert is kept (async_insert, block sizes) are dropped in silence: exporters send them
by default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sloengine.embedded import errors
from sloengine.embedded.errors import StoreError
from sloengine.embedded.settings import Role, StoreSettings
from sloengine.embedded.statements import names

# Parameters of the HTTP interface, not of the query.
_TRANSPORT = names(
    """
    query database default_format compress decompress user password query_id session_id session_timeout
    session_check quota_key client_protocol_version enable_http_compression http_zlib_compression_level
    wait_end_of_query send_progress_in_http_headers http_headers_progress_interval_ms buffer_size stacktrace
    role add_http_cors_header http_write_exception_in_output_format http_response_buffer_size
    cancel_http_readonly_queries_on_client_close http_make_head_request http_response_headers
    http_wait_end_of_query close_session profile jwt
    """
)
# How rows of one acknowledged insert are kept is the endpoint's promise: whole, and written before the answer.
_KEPT = names(
    """
    async_insert wait_for_async_insert async_insert_busy_timeout_ms async_insert_busy_timeout_max_ms
    async_insert_busy_timeout_min_ms async_insert_max_data_size async_insert_max_query_number
    async_insert_use_adaptive_busy_timeout async_insert_deduplicate wait_for_async_insert_timeout
    min_insert_block_size_rows min_insert_block_size_bytes max_insert_block_size max_insert_block_size_rows
    max_insert_block_size_bytes max_insert_threads min_insert_block_size_rows_for_materialized_views
    min_insert_block_size_bytes_for_materialized_views input_format_max_block_size_bytes
    input_format_allow_errors_num input_format_allow_errors_ratio input_format_parallel_parsing
    use_strict_insert_block_limits implicit_select
    """
)
_BOTH = names(
    """
    session_timezone date_time_input_format log_comment max_threads cast_string_to_dynamic_use_inference
    """
)
_READER = _BOTH | names(
    """
    max_block_size max_rows_to_read max_bytes_to_read max_result_bytes max_rows_to_group_by
    max_bytes_before_external_sort max_bytes_before_external_group_by max_rows_in_join max_bytes_in_join
    timeout_overflow_mode read_overflow_mode join_algorithm join_use_nulls any_join_distinct_right_table_keys
    group_by_use_nulls group_by_two_level_threshold extremes limit offset final
    do_not_merge_across_partitions_select_final aggregate_functions_null_for_empty transform_null_in
    prefer_column_name_to_alias optimize_read_in_order optimize_aggregation_in_order optimize_move_to_prewhere
    optimize_use_projections use_skip_indexes use_query_cache enable_analyzer distributed_product_mode
    count_distinct_implementation union_default_mode intersect_default_mode except_default_mode
    date_time_output_format cast_keep_nullable allow_experimental_analyzer format_csv_delimiter
    format_csv_null_representation format_tsv_null_representation use_client_time_zone
    show_table_uuid_in_table_create_query_if_not_nil interactive_delay connect_timeout receive_timeout
    send_timeout
    """
)
_INGEST = _BOTH | names(
    """
    insert_deduplicate insert_deduplication_token insert_null_as_default max_execution_time
    deduplicate_blocks_in_dependent_materialized_views max_partitions_per_insert_block
    throw_on_max_partitions_per_insert_block insert_allow_materialized_columns
    """
)
# Nobody but an administrator may have the engine start thousands of threads.
_MODEST = {"max_threads": 64}
_READER_PREFIXES = ("output_format_",)
_INGEST_PREFIXES = ("input_format_", "output_format_")
_NEVER = frozenset(
    {
        "output_format_schema",
        "input_format_values_interpret_expressions",
        "input_format_values_deduce_templates_of_expressions",
    }
)


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """`asked` is to be set on the connection as it stands; `parameters` are `param_x` values without their prefix."""

    asked: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]


def sort_out(
    pairs: Iterable[tuple[str, str]], role: Role, store: StoreSettings, known: frozenset[str]
) -> RequestSettings:
    """Split a URL's parameters. Unknown settings are left in `asked`: the engine words that error better."""
    asked: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("param_"):
            parameters[name.removeprefix("param_")] = value
        elif name not in _TRANSPORT and name not in _KEPT:
            asked[name] = value
    if role is not Role.ADMIN:
        asked = {name: _held(name, value, role, store, known) for name, value in asked.items()}
    return RequestSettings(tuple(asked.items()), tuple(parameters.items()))


def _held(name: str, value: str, role: Role, store: StoreSettings, known: frozenset[str]) -> str:
    ceilings = _MODEST | _ceilings(store) if role is Role.READER else _MODEST
    ceiling = ceilings.get(name)
    if ceiling is not None:
        return _at_most(value, ceiling)
    allowed, prefixes = (_READER, _READER_PREFIXES) if role is Role.READER else (_INGEST, _INGEST_PREFIXES)
    if name in known and name not in _NEVER and (name in allowed or name.startswith(prefixes)):
        return value
    if name in known:
        raise StoreError(errors.READONLY, f"Cannot modify '{name}' setting as role {role.value}.")
    raise StoreError(errors.UNKNOWN_SETTING, f"Unknown setting '{name}'.")


def _at_most(value: str, ceiling: int) -> str:
    """A reader's own limit if it is lower; 0 means unlimited in ClickHouse, so it becomes the ceiling."""
    try:
        number = float(value)
    except ValueError:
        return str(ceiling)
    return value if 0 < number < ceiling else str(ceiling)


def _ceilings(store: StoreSettings) -> dict[str, int]:
    return {
        "max_execution_time": store.reader.max_execution_time_s,
        "max_result_rows": store.reader.max_result_rows,
        "max_memory_usage": store.reader.max_memory_bytes,
    }


def session_settings(role: Role, store: StoreSettings) -> dict[str, str]:
    """What every connection of `role` starts from, before what the request asks for."""
    common = {"implicit_select": "0", "max_query_size": str(store.max_query_bytes + 1), "async_insert": "0"}
    if role is Role.ADMIN:
        return common
    common["allow_introspection_functions"] = "0"
    if role is Role.INGEST:
        return common | {
            "max_memory_usage": str(store.max_insert_memory_bytes),
            # Both: with the first alone, `VALUES (file('/etc/passwd'))` is still compiled as a template.
            "input_format_values_interpret_expressions": "0",
            "input_format_values_deduce_templates_of_expressions": "0",
        }
    ceilings = {name: str(number) for name, number in _ceilings(store).items()}
    return common | ceilings | {"result_overflow_mode": "throw", "timeout_overflow_mode": "throw"}


# One insert is one block: a parse error anywhere then comes before the first row is written (FACTS §1, and tests).
INSERT_SETTINGS = {
    "min_insert_block_size_rows": "1000000000000",
    "min_insert_block_size_bytes": "1000000000000",
    "max_insert_threads": "1",
}
