"""One HTTP request: who is asked, what its answer means, and that no secret shows in what is said of it."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from sloengine.errors import DeliveryError
from sloengine.notify.settings import HttpConfig

RETRY_AFTER_MAX_S = 3600.0
"""A receiver that asks for more would silence a page for good."""
ANSWER_MAX_BYTES = 16_384
"""As much of an answer is read: none that means anything is longer, and one without an end would fill the memory."""
SHOWN = 200
"""Of an answer, in errors."""
JSON = {"Content-Type": "application/json"}
KEY = "Idempotency-Key"
"""Draft standard header by which a receiver recognises a request that is sent again."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Request:
    """One POST."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    timeout_s: float | None = None
    """None: the client's own."""
    throttled_s: float | None = None
    """Wait after a 429 that does not say how long."""
    secrets: Sequence[str] = ()
    """What errors must not show, whatever the receiver answers."""


def ask(client: httpx.Client, request: Request) -> Answer:
    """Send, and the answer, whatever it is.

    Raises:
        DeliveryError: there is none; retryable unless the address is none.
    """
    timeout = client.timeout if request.timeout_s is None else httpx.Timeout(request.timeout_s)
    try:
        with client.stream(
            "POST", request.url, content=request.body, headers=dict(request.headers), timeout=timeout,
            follow_redirects=False,
        ) as answer:  # fmt: skip
            return Answer(answer.status_code, answer.headers, _beginning(answer, timeout.read))
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise DeliveryError(_hidden(f"not an address: {error}", request), retryable=False) from None
    except UnicodeError:
        # A key of other characters than ASCII's fits in no header; the error itself would show it.
        raise DeliveryError(
            "a header or the address has characters that HTTP has no form for", retryable=False
        ) from None
    except httpx.HTTPError as error:
        raise DeliveryError(_hidden(f"{type(error).__name__}: {error}", request), retryable=True) from None


def _beginning(answer: httpx.Response, most_s: float | None) -> str:
    """As much as is needed; a receiver that lets its answer drip holds nobody for longer than one that sends nothing."""
    until = time.monotonic() + (most_s or 0.0)
    read = b""
    for chunk in answer.iter_bytes(ANSWER_MAX_BYTES):
        read += chunk
        if len(read) >= ANSWER_MAX_BYTES or (most_s is not None and time.monotonic() > until):
            break
    return read[:ANSWER_MAX_BYTES].decode("utf-8", "replace")


def _hidden(words: str, request: Request) -> str:
    shown = [value.split()[-1] for name, value in request.headers.items() if name == "Authorization"]
    for secret in sorted([*request.secrets, *shown], key=len, reverse=True):
        words = words.replace(secret, "***") if secret else words
    return words


def secrets_of(url: str) -> tuple[str, ...]:
    """What may not be shown of an address that is a secret: many servers answer with the path that they don't know."""
    try:
        path = httpx.URL(url).raw_path.decode("ascii", "replace")
    except httpx.InvalidURL:
        return (url,)
    return (url, path, path.partition("?")[0]) if len(path) > 1 else (url,)


def retryable_status(answer: Answer) -> bool:
    return answer.status in (408, 429) or answer.status >= 500


def refused(answer: Answer, request: Request, *, retryable: bool, why: str = "") -> DeliveryError:
    """The error that an answer means."""
    wait = retry_after_s(answer)
    if wait is None and answer.status == 429:
        wait = request.throttled_s
    words = _hidden(f"{why or answer.text}", request)[:SHOWN]
    return DeliveryError(f"HTTP {answer.status}: {words}", retryable=retryable, retry_after_s=wait)


def post(client: httpx.Client, request: Request, retryable: Callable[[Answer], bool] = retryable_status) -> Answer:
    """Send; an answer of 2xx.

    Raises:
        DeliveryError: retryable on network trouble, and on answers that ``retryable`` says yes to; final on any other.
    """
    answer = ask(client, request)
    if answer.ok:
        return answer
    raise refused(answer, request, retryable=retryable(answer))


def retry_after_s(answer: Answer) -> float | None:
    """How long the receiver asks to wait, at most an hour; None if it doesn't say, or nothing that can be understood.

    It says seconds or a date (RFC 9110, 10.2.3). A date is held against the answer's own one: our clock may be off from theirs.
    """
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return min(float(text), RETRY_AFTER_MAX_S)
    until, now = _date(text), _date(answer.headers.get("Date", ""))
    if until is None or now is None:
        return None
    return min(max(0.0, (until - now).total_seconds()), RETRY_AFTER_MAX_S)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def authorization(config: HttpConfig | None) -> dict[str, str]:
    """The header by which requests show who sends them.

    Raises:
        DeliveryError: a secret can't be read now.
    """
    if config is None:
        return {}
    if config.basic_auth is not None:
        pair = f"{config.basic_auth.username}:{config.basic_auth.read_secret('password')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if config.authorization is not None:
        return {"Authorization": f"{config.authorization.type} {config.authorization.read_secret('credentials')}"}
    token = config.read_secret("bearer_token")
    return {"Authorization": f"Bearer {token}"} if token else {}


def joined(base: str, path: str) -> str:
    """An address below another one, whether or not that ends in a slash."""
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base
