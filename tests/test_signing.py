"""Signatures of requests."""

from __future__ import annotations

import pytest

from sloengine.signing import is_signed, key_of, signature

# The example of the Standard Webhooks specification.
SECRET, IDENTITY, STAMP = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_request_is_signed_as_standard_webhooks_has_it() -> None:
    assert signature(key_of(SECRET), IDENTITY, STAMP, BODY) == SIGNED


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed() -> None:
    other = signature(b"old", IDENTITY, STAMP, BODY)
    assert is_signed(f"{other} {SIGNED}", key_of(SECRET), IDENTITY, STAMP, BODY)
    assert not is_signed(other, key_of(SECRET), IDENTITY, STAMP, BODY)


@pytest.mark.parametrize(
    ("identity", "stamp", "body"),
    [("msg_other", STAMP, BODY), (IDENTITY, "1614265331", BODY), (IDENTITY, STAMP, BODY + b" ")],
)
def test_what_was_changed_on_the_way_is_not_signed(identity: str, stamp: str, body: bytes) -> None:
    assert not is_signed(SIGNED, key_of(SECRET), identity, stamp, body)


def test_a_secret_without_the_mark_is_its_own_bytes_and_a_broken_one_is_refused() -> None:
    assert key_of("plain\n") == b"plain"
    with pytest.raises(ValueError, match="base64"):
        key_of("whsec_%%")
