"""Email over SMTP: one mail for each recipient, so that one whose address is refused has none of the others written to twice."""

from __future__ import annotations

import hashlib
import html
import json
import re
import smtplib
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, parseaddr
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from sloengine.alert.notification import Notification
from sloengine.errors import DeliveryError
from sloengine.notify.cutting import clean, cut, line
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import TEXTS, Secretive, TargetConfig
from sloengine.notify.text import Text, listing, plain, text_of

BODY_MAX, LIST_MAX = 100_000, 60_000
SUBJECT_MAX = 200
RECIPIENTS_MAX = 50
SMTPS_PORT = 465
"""Where TLS begins at once (RFC 8314)."""
POLICY = Policy(
    rate_per_s=1.0,
    burst=5,
    backoff_first_s=30.0,
    backoff_factor=2.0,
    backoff_most_s=1800.0,
    timeout_s=20.0,
    throttled_s=60.0,
)
_OWN_HEADERS = (
    *(
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "references",
        "in-reply-to",
        "auto-submitted",
        "sender",
    ),
    *("mime-version", "content-type", "content-transfer-encoding", "return-path"),
)
_HEADER = re.compile(r"[!-9;-~]{1,70}")


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):([0-9]{1,5})")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TlsConfig(Secretive):
    """Alertmanager's ``tls_config``, as far as it is acted on."""

    IGNORED: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("cert_file", "key_file", "cert", "key", "ca", "server_name", "min_version", "max_version"),
        "the server is known by its name and ca_file, and we by auth_username",
    )
    ca_file: Path | None = None
    insecure_skip_verify: bool = False


class EmailConfig(TargetConfig):
    SECRETS = ("auth_password",)
    IGNORED: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("html", "text"), TEXTS),
        **dict.fromkeys(("auth_secret", "auth_identity"), "it is auth_username and auth_password that are shown"),
    }
    send_resolved: bool = False
    """As in Alertmanager."""
    to: str = Field(min_length=3, max_length=5_000)
    """Addresses, apart by commas."""
    from_: str = Field(alias="from", min_length=3, max_length=320)
    smarthost: str = Field(max_length=300)
    """``host:port``."""
    hello: str = Field(default="localhost", pattern=r"^[A-Za-z0-9.\-\[\]:]{1,255}$")
    auth_username: str = Field(default="", max_length=320)
    auth_password: SecretStr | None = None
    auth_password_file: Path | None = None
    auth_password_env: str | None = None
    require_tls: bool = True
    tls_config: TlsConfig = TlsConfig()
    headers: dict[str, str] = Field(default={}, max_length=20)

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        host = _HOST.fullmatch(self.smarthost)
        if host is None or not 0 < int(host[2]) < 65536:
            raise ValueError("smarthost is host:port")
        if not self.to.strip().isprintable() or not self.from_.strip().isprintable():
            raise ValueError("to and from are each on one line")
        if not 0 < len(self.recipients) <= RECIPIENTS_MAX or not all(map(_is_address, self.recipients)):
            raise ValueError(f"to has one to {RECIPIENTS_MAX} addresses, apart by commas")
        if not _is_address(parseaddr(self.from_)[1]):
            raise ValueError("from is an address, alone or as Name <address>")
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
                raise ValueError(f"headers: {line(name)[:40]} can't be set")
            if line(value) != value:
                raise ValueError(f"headers: {name} is not on one line")
        return self

    @property
    def recipients(self) -> list[str]:
        return [address for _, address in getaddresses([self.to])]

    @property
    def server(self) -> tuple[str, int]:
        host, _, port = self.smarthost.rpartition(":")
        return host.strip("[]"), int(port)


def _is_address(text: str) -> bool:
    return re.fullmatch(r"[^\s@<>,;:\"()\x00-\x1f\x7f]{1,64}@[^\s@<>,;\"()\x00-\x1f\x7f]{1,255}", text) is not None


def messages(notification: Notification, config: EmailConfig) -> list[Message]:
    told = config.told(notification)
    if told is None:
        return []
    text = text_of(told)
    body = {
        "subject": cut(line(text.title), SUBJECT_MAX),
        "text": plain(text, BODY_MAX) + "\n",
        "html": _html(text),
    }
    return [
        Message(
            "mail", to, json.dumps(body), order_key=f"{notification.group_key}/{to}", incident=notification.dedup_key
        )
        for to in config.recipients
    ]


def send(client: httpx.Client, config: EmailConfig, message: Message, idempotency_key: str, at: datetime) -> None:
    """Deliver once. A server that is lost after it took the mail has it sent again, with the same ``Message-ID``.

    Raises:
        DeliveryError: retryable on network trouble and codes of 4xx; final on 5xx and what the server can't do.
    """
    password = config.read_secret("auth_password")
    mail = _mail(config, message, idempotency_key, at)
    try:
        _hand_over(config, password, mail, message.address)
    except smtplib.SMTPRecipientsRefused as error:
        (code, words), *_ = error.recipients.values()
        raise _refusal(code, words, password) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error, password) from None
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(f"the server can't: {error}", retryable=False) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"{type(error).__name__}: {error}", retryable=True) from None


def _hand_over(config: EmailConfig, password: str, mail: EmailMessage, to: str) -> None:
    host, port = config.server
    # Without a context smtplib would take any certificate.
    context = ssl.create_default_context(cafile=config.tls_config.ca_file)
    if config.tls_config.insecure_skip_verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    over_tls = port == SMTPS_PORT
    connect = partial(smtplib.SMTP_SSL, context=context) if over_tls else smtplib.SMTP
    with connect(host, port, local_hostname=config.hello, timeout=POLICY.timeout_s) as server:
        if config.require_tls and not over_tls:
            server.starttls(context=context)
        if config.auth_username:
            if not (over_tls or config.require_tls or host in _LOOPBACK):
                raise DeliveryError("a password is not sent without TLS: set require_tls", retryable=False)
            server.login(config.auth_username, password)
        server.send_message(mail, parseaddr(config.from_)[1], [to])


def _refusal(code: int, words: bytes | str, password: str) -> DeliveryError:
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    said = line(said.replace(password, "***") if password else said)
    return DeliveryError(f"SMTP {code}: {cut(said, 200)}", retryable=not 500 <= code < 600)


def _mail(config: EmailConfig, message: Message, idempotency_key: str, at: datetime) -> EmailMessage:
    body = json.loads(message.body)
    domain = parseaddr(config.from_)[1].rpartition("@")[2]
    # Never sent itself: what refers to the same one is shown as one conversation.
    thread = _identity(message.incident, domain)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = line(config.from_), message.address, body["subject"]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = _identity(idempotency_key, domain)
    mail["References"] = mail["In-Reply-To"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in config.headers.items():
        mail[name] = value
    mail.set_content(body["text"])
    mail.add_alternative(body["html"], subtype="html")
    return mail


def _identity(key: str, domain: str) -> str:
    return f"<{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}@{domain}>"


def _html(text: Text) -> str:
    facts = "".join(f"<dt><b>{_shown(name)}</b></dt><dd>{_shown(answer)}</dd>" for name, answer in text.facts)
    links = " · ".join(f'<a href="{html.escape(address)}">{_shown(name)}</a>' for name, address in text.links)
    listed = listing(text, LIST_MAX).splitlines()
    alerts = "".join(f"<li>{_shown(entry.removeprefix('- '))}</li>" for entry in listed)
    return f"<h3>{_shown(text.title)}</h3><dl>{facts}</dl><p>{links}</p>" + (f"<ul>{alerts}</ul>" if alerts else "")


def _shown(text: str) -> str:
    return html.escape(clean(text)).replace("\n", "<br>")
