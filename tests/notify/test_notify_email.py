"""Mail: what arrives at a real server, what each of its answers means, and that labels write no headers."""

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from sloengine.alert.notification import Notification
from sloengine.errors import DeliveryError
from sloengine.notify import email
from sloengine.notify.email import EmailConfig, messages, send
from sloengine.notify.message import Message
from tests.notify.mailserver import ENDS, MailServer, certificate, context_of, serving
from tests.notify.notifications import BURN, burn_page, many, of, resolved

AT = datetime(2026, 3, 4, 3, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("mail"))


def config_of(port: int, **more: object) -> EmailConfig:
    given = {"to": "on-call@example.org", "from": "SLO <slo@example.org>", "smarthost": f"127.0.0.1:{port}"}
    return EmailConfig.model_validate(given | {"require_tls": False, "send_resolved": True} | more)


def deliver(there: MailServer, notification: Notification | None = None, key: str = "k-1", **more: object) -> None:
    config = config_of(there.port, **more)
    with httpx.Client(trust_env=False) as client:
        for message in messages(notification or of([burn_page()]), config):
            send(client, config, Message.from_json(message.to_json()), key, AT)


def refusal(there: MailServer, **more: object) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        deliver(there, **more)
    return caught.value


def test_a_page_arrives_as_text_and_html() -> None:
    with serving(MailServer()) as there:
        deliver(there)
    ((sender, to, _),) = there.mails
    mail = there.mail()
    assert (sender, to) == ("slo@example.org", "on-call@example.org")
    assert mail["Subject"].startswith("PAGE: Digits answered: burning 30.0x")
    assert (mail["From"], mail["To"]) == ("SLO <slo@example.org>", "on-call@example.org")
    assert mail["Date"] == "Wed, 04 Mar 2026 03:07:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "Budget burns 30× over 1h" in text.get_content()
    assert '<a href="https://slo.example/runbooks/inference-success">Runbook</a>' in page.get_content()


def test_a_mail_that_is_sent_again_is_the_same_one_and_all_of_an_incident_are_one_conversation() -> None:
    with serving(MailServer()) as there:
        deliver(there, key="k-1:firing")
        deliver(there, key="k-1:firing")
        deliver(there, of([resolved(burn_page())]), key="k-1:resolved")
    first, again, over = (there.mail(n) for n in range(3))
    assert first["Message-ID"] == again["Message-ID"] != over["Message-ID"]
    assert first["References"] == over["References"] == over["In-Reply-To"]
    assert first["Message-ID"].endswith("@example.org>")


def test_each_recipient_has_a_mail_of_their_own_and_one_refused_address_stops_no_other() -> None:
    config = config_of(1, to="a@example.org, B <b@example.org>")
    found = messages(of([burn_page()]), config)
    assert [m.address for m in found] == ["a@example.org", "b@example.org"]
    assert len({m.order_key for m in found}) == 2
    with serving(MailServer(replies={"a@example.org": "550 nobody"})) as there, httpx.Client(trust_env=False) as client:
        config = config_of(there.port, to="a@example.org, b@example.org")
        with pytest.raises(DeliveryError):
            send(client, config, found[0], "k", AT)
        send(client, config, found[1], "k", AT)
    assert [to for _, to, _ in there.mails] == ["b@example.org"]


@pytest.mark.parametrize("step", ["HELLO", "MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize(
    ("reply", "retryable"), [("421 busy", True), ("451 later", True), ("550 no", False), ("554 no", False)]
)
def test_codes_of_4xx_are_tried_again_and_5xx_are_final(step: str, reply: str, retryable: bool) -> None:
    with serving(MailServer(replies={step: reply})) as there:
        error = refusal(there)
    assert (error.retryable, reply.partition(" ")[2] in str(error)) == (retryable, True)
    assert there.mails == []


@pytest.mark.parametrize("step", ["HELLO", "MAIL", "RCPT", "DATA", "BODY"])
def test_a_server_that_hangs_up_is_tried_again(step: str) -> None:
    with serving(MailServer(replies={step: ENDS})) as there:
        assert refusal(there).retryable


def test_a_server_that_hangs_is_left_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "POLICY", replace(email.POLICY, timeout_s=0.2))
    began = time.monotonic()
    with serving(MailServer(wait_s=1.0)) as there:
        assert refusal(there).retryable
        assert time.monotonic() - began < 0.9


def test_nobody_at_home_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert refusal(MailServer(port=port)).retryable


# --- TLS and passwords


def test_mail_goes_over_tls_with_a_password_from_a_file(pem: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    more = {"auth_username": "slo", "auth_password_file": str(tmp_path / "password")}
    with serving(MailServer(tls=context_of(pem), password="hunter2")) as there:
        deliver(there, require_tls=True, tls_config={"ca_file": str(pem)}, **more)
        deliver(there, require_tls=True, tls_config={"insecure_skip_verify": True}, **more)
    assert there.secure == [True, True]


def test_a_certificate_that_nobody_knows_is_not_taken(pem: Path) -> None:
    with serving(MailServer(tls=context_of(pem))) as there:
        error = refusal(there, require_tls=True)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert there.mails == []


def test_a_server_without_tls_gets_nothing_if_tls_is_required() -> None:
    with serving(MailServer()) as there:
        error = refusal(there, require_tls=True)
    assert (error.retryable, there.mails) == (False, [])


def test_a_wrong_password_is_final_and_not_shown() -> None:
    with serving(MailServer(password="right")) as there:
        error = refusal(there, auth_username="slo", auth_password="hunter2")
    assert not error.retryable
    assert str(error) == "SMTP 535: not ***"


def test_a_password_is_not_sent_in_the_clear_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "_LOOPBACK", ())
    with serving(MailServer(password="hunter2")) as there:
        error = refusal(there, auth_username="slo", auth_password="hunter2")
    assert "not sent without TLS" in str(error)
    assert there.mails == []


# --- what labels can't do


def test_labels_write_no_headers_and_no_html() -> None:
    hostile = "x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script> \ud83d \x00 😀"
    alert = burn_page(BURN | {"device": hostile})
    alert = replace(alert, annotations={**alert.annotations, "summary": hostile, "description": hostile})
    with serving(MailServer()) as there:
        deliver(there, of([alert, burn_page()]))
    mail = there.mail()
    assert [to for _, to, _ in there.mails] == ["on-call@example.org"]
    assert mail["Bcc"] is None
    assert "Bcc: evil@example.org" in mail["Subject"]
    page = mail.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()
    assert "&lt;script&gt;" in page.get_content()


def test_a_line_that_begins_with_a_dot_and_a_long_one_arrive() -> None:
    alert = burn_page()
    alert = replace(alert, annotations={**alert.annotations, "failures": ".\n..dots\n" + "long" * 300})
    with serving(MailServer()) as there:
        deliver(there, of([alert]))
    text = there.mail().get_body(("plain",))
    assert text is not None
    assert "\r\n..dots\r\n" + "long" * 300 in text.get_content()


def test_three_hundred_alerts_are_one_mail_that_lists_them_all() -> None:
    with serving(MailServer()) as there:
        deliver(there, of(many(300)))
    text = there.mail().get_body(("plain",))
    assert text is not None
    assert text.get_content().count("- device jetson-") == 300


@pytest.mark.parametrize(
    "more",
    [
        {"to": "nobody"},
        {"to": "a@b.c\nBcc: x@y.z"},
        {"to": ", ".join(f"a{n}@b.c" for n in range(51))},
        {"from": "a@b.c\r\nX: y"},
        {"from": "nobody"},
        {"smarthost": "mail"},
        {"smarthost": "mail:99999"},
        {"smarthost": "mail:25\n"},
        {"hello": "a b"},
        {"headers": {"Subject": "x"}},
        {"headers": {"X-Team": "a\nb"}},
        {"headers": {"X Team": "a"}},
    ],
)
def test_settings_that_no_mail_can_be_made_of_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config_of(25, **more)


def test_headers_of_the_settings_are_on_the_mail() -> None:
    with serving(MailServer()) as there:
        deliver(there, headers={"X-Team": "ml", "Subject": "{{ template }}"})
    assert there.mail()["X-Team"] == "ml"
