"""Properties of the body decoder: any split gives the same bytes, any damage is a StoreError, sizes stay bounded."""

from __future__ import annotations

import gzip
import itertools
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.embedded import frames, statements
from sloengine.embedded.bodies import BodyDecoder
from sloengine.embedded.errors import StoreError, from_engine

PACK = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}


def decode(data: bytes, encoding: str, framed: bool, cuts: list[int], limit: int = 1 << 20) -> bytes:
    decoder = BodyDecoder(encoding, framed, limit)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    out = b"".join(decoder.feed(data[a:b]) for a, b in itertools.pairwise(edges))
    decoder.finish()
    return out


@given(
    st.binary(max_size=3000), st.sampled_from(list(PACK)), st.booleans(), st.lists(st.integers(0, 10**6), max_size=5)
)
def test_any_split_of_any_encoding_gives_the_same_bytes(data, encoding, framed, cuts):
    inner = frames.encode(data) if framed else data
    assert decode(PACK[encoding](inner), encoding, framed, cuts) == data


@given(st.binary(max_size=400), st.sampled_from(list(PACK)), st.booleans())
def test_garbage_is_a_store_error_or_bytes(data, encoding, framed):
    try:
        decode(data, encoding, framed, [])
    except StoreError as error:
        assert error.status == 400


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=500), st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_in_a_frame_is_always_noticed(data, at, change):
    packed = bytearray(frames.encode(data))
    packed[at % len(packed)] ^= change
    with pytest.raises(StoreError):
        decode(bytes(packed), "", True, [])


@given(st.binary(min_size=1, max_size=500), st.sampled_from([name for name in PACK if name]), st.integers(1, 10**6))
def test_a_body_cut_short_is_always_noticed(data, encoding, cut):
    packed = PACK[encoding](data)
    keep = len(packed) - 1 - cut % len(packed)
    if keep == 0:
        return
    with pytest.raises(StoreError):
        decode(packed[:keep], encoding, False, [])


@pytest.mark.parametrize("encoding", [name for name in PACK if name])
def test_a_bomb_stops_at_the_limit(encoding):
    with pytest.raises(StoreError) as caught:
        decode(PACK[encoding](bytes(50 << 20)), encoding, False, [], limit=1 << 20)
    assert caught.value.status == 413


def test_a_frame_that_claims_more_than_the_limit_is_refused_before_it_is_held():
    header = bytes(16) + bytes([frames.LZ4]) + (1 << 30).to_bytes(4, "little") + (1 << 30).to_bytes(4, "little")
    with pytest.raises(StoreError, match="outside the limit"):
        decode(header, "", True, [])


def test_a_frame_as_clickhouse_writes_it():
    """Produced by clickhouse-go's compressor for the bytes `abc`: checks the order of the checksum's halves."""
    packed = frames.encode(b"abc")
    assert packed[16] == frames.LZ4 and decode(packed, "", True, []) == b"abc"


@pytest.mark.parametrize(
    ("text", "target", "fmt", "data"),
    [
        ("INSERT INTO t VALUES (1)", "INSERT INTO t", "Values", " (1)"),
        ("INSERT INTO t (a, b) FORMAT Native\n\n\x01", "INSERT INTO t (a, b)", "Native", "\n\x01"),
        ("insert into `FORMAT` format CSV 1", "insert into `FORMAT`", "CSV", "1"),
        ("/* FORMAT x */ INSERT INTO t -- VALUES\n FORMAT TSV\r\n1", "/* FORMAT x */ INSERT INTO t", "TSV", "1"),
        ("INSERT INTO t (`a)`, b)", "INSERT INTO t (`a)`, b)", None, ""),
        ("INSERT INTO t SETTINGS a = 1, b = 'x' FORMAT CSV\n1", "INSERT INTO t", "CSV", "1"),
        ("INSERT INTO t SELECT 1", None, None, None),
        ("INSERT INTO t WITH 1 AS x SELECT x", None, None, None),
        ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", None, None, None),
        ("SELECT 'INSERT INTO t VALUES'", None, None, None),
        ("INSERT INTO t SETTINGS a = (1) FORMAT CSV", None, None, None),
    ],
)
def test_where_the_rows_of_an_insert_begin(text, target, fmt, data):
    head = statements.insert_head(text)
    if target is None:
        assert head is None
    else:
        assert head is not None
        assert (head.target, head.format, text[head.data_at :]) == (target, fmt, data)


@given(st.text(alphabet="INSERT INTO VALUES FORMAT`'\"()/*-;\\\n ab1,", max_size=60))
def test_no_text_breaks_the_lexer(text):
    statements.insert_head(text)
    statements.insert_head("INSERT INTO t " + text)
    statements.output_format(text)
    statements.called_and_bare_names(text)


@pytest.mark.parametrize(
    ("text", "code", "name", "message"),
    [
        ("Code: 60. DB::Exception: No table x. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE", "No table x."),
        (
            "Code: 33. DB::Exception: Code: 33. DB::Exception: Cut. (CUT_SHORT) (version 26.9.2.1). (CUT_SHORT)",
            33,
            "CUT_SHORT",
            "Cut.",
        ),
        ("something else", 49, "LOGICAL_ERROR", "something else"),
    ],
)
def test_engine_messages_become_one_clean_error(text, code, name, message):
    error = from_engine(text)
    assert (error.code, error.name, error.message) == (code, name, message)
