"""Queries as forms: clients send ``query`` and its parameters as ``multipart/form-data`` when they are too long for a URL."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy

from sloengine.embedded import errors
from sloengine.embedded.answer import Call
from sloengine.embedded.errors import StoreError

FORM_ROOM = 8
"""How much longer than a query a form may be: parameters are data, such as the names of a thousand metrics."""
FIELDS_MAX = 2000


def with_form(call: Call, body: bytes) -> Call:
    """The call as if its form's fields had stood in the URL; what did stand there goes before.

    Raises:
        StoreError: not a form, too many fields, a file (an external table), or a field that is no query and no parameter.
    """
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode("latin-1")
    form = message_from_bytes(head + body, policy=policy.HTTP)
    parts = list(form.iter_parts()) if form.is_multipart() else []
    if not parts or len(parts) > FIELDS_MAX:
        raise StoreError(errors.BAD_ARGUMENTS, f"The form holds {len(parts)} fields; from 1 to {FIELDS_MAX} are taken.")
    fields: list[tuple[str, str]] = []
    for part in parts:
        name = str(part.get_param("name", "", header="content-disposition"))
        if part.get_filename() is not None:
            raise StoreError(errors.NOT_IMPLEMENTED, "External tables are not supported.")
        if name != "query" and not name.startswith("param_"):
            raise StoreError(errors.BAD_ARGUMENTS, f"Form field '{name[:100]}' is neither query nor param_…")
        held = part.get_payload(decode=True)
        fields.append((name, held.decode("utf-8", "replace") if isinstance(held, bytes) else ""))
    known = {name for name, _ in call.pairs}
    added = tuple(pair for pair in fields if pair[0] not in known)
    return replace(call, pairs=(*call.pairs, *added), values={**dict(added), **call.values})
