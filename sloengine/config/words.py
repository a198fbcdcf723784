"""What a schema finds wrong with a value, in words for whoever wrote the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from sloengine.config.matchers import shown

NAME = r"^[A-Za-z0-9]([-A-Za-z0-9._|/\\+]{0,251}[A-Za-z0-9])?$"
DATABASE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PATTERNS = {
    NAME: r"a name has letters and digits, inside it also - . _ | / \ and +, no spaces, at most 253 of them",
    DATABASE: "a database's name has letters, digits and _, no digit first",
}
_EXPECTED = {
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping of keys to values"),
    **dict.fromkeys(
        ("datetime_parsing", "datetime_type", "datetime_from_date_parsing", "datetime_object_invalid"),
        "a date and time such as 2026-01-01T06:00:00Z",
    ),
    **dict.fromkeys(("url_parsing", "url_type"), "an address such as https://pager.example/hook"),
    "url_scheme": "an address that begins with http:// or https://",
    "string_type": "a text; quotes make one of a number",
    "list_type": "a list",
}
_SAID: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda limits: "is missing",
    "too_short": lambda limits: f"expected at least {limits['min_length']}, found {limits['actual_length']}",
    "too_long": lambda limits: f"expected at most {limits['max_length']}, found {limits['actual_length']}",
    "string_too_long": lambda limits: f"longer than {limits['max_length']} characters",
    "greater_than": lambda limits: f"must be above {limits['gt']:g}",
    "greater_than_equal": lambda limits: f"must be at least {limits['ge']:g}",
    "less_than": lambda limits: f"must be below {limits['lt']:g}",
    "less_than_equal": lambda limits: f"must be at most {limits['le']:g}",
}


def words(item: Mapping[str, Any]) -> str:
    """One of pydantic's findings. The value itself is told only where it stands for one of a few: others may be secrets."""
    kind, limits = item["type"], item.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind in _SAID:
        return _SAID[kind](limits)
    if kind == "string_too_short":
        return "is empty" if item["input"] == "" else f"shorter than {limits['min_length']} characters"
    if kind == "string_pattern_mismatch" and limits["pattern"] in _PATTERNS:
        return _PATTERNS[limits["pattern"]]
    if kind in ("literal_error", "enum"):
        return _one_of(item["input"], re.findall(r"'([^']*)'", limits["expected"]))
    return str(item["msg"]).removeprefix("Value error, ")


def _one_of(given: object, known: list[str]) -> str:
    near = get_close_matches(str(given), known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    return f"'{shown(given)}' is not known; {hint}" if isinstance(given, str) else f"expected {' or '.join(known)}"
