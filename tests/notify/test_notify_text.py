"""What a person reads: goldens to be read as they would be at night, and what hostile labels can't do to them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.alert.notification import Told
from sloengine.notify.cutting import units
from sloengine.notify.text import TITLE_MAX, alerts_within, listing, plain, text_of, worst_first
from tests.notify.notifications import BEGAN, BURN, SAMPLES, burn_page, drift_ticket, integrity_page, many, of, resolved

GOLDEN = Path(__file__).parents[1] / "golden" / "notify"
ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


def shown(name: str) -> str:
    text = text_of(SAMPLES[name])
    return f"{text.title}\n\n{plain(text, 3_000)}\n"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_text_is_as_it_was_when_somebody_read_it(name: str) -> None:
    assert shown(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_is_of_a_sample() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(SAMPLES)


def test_a_page_answers_every_question() -> None:
    text = text_of(SAMPLES["burn_page"])
    asked = ("What", "Where", "Worst nodes", "Since", "How bad", "How sure", "What changed", "Owner")
    assert tuple(name for name, _ in text.facts) == asked
    assert [name for name, _ in text.links] == ["Runbook", "Dashboard", "Console"]


def test_a_dashboard_is_opened_at_the_time_of_the_alert() -> None:
    start = int((BEGAN - timedelta(hours=1)).timestamp()) * 1000
    firing, over = (dict(text_of(SAMPLES[name]).links)["Dashboard"] for name in ("burn_page", "resolve"))
    assert firing.endswith(f"&var-model=digits-classifier&from={start}&to=now")
    assert over.endswith(f"&from={start}&to={int((BEGAN + timedelta(minutes=68, seconds=53)).timestamp()) * 1000}")


def test_a_dashboard_that_names_its_own_time_keeps_it() -> None:
    address = "https://grafana.example/d/x?from=now-6h&to=now"
    alert = burn_page()
    alert = replace(alert, annotations={**alert.annotations, "dashboard": address})
    assert dict(text_of(of([alert])).links)["Dashboard"] == address


def test_where_nothing_is_tolerated_no_burn_is_told() -> None:
    assert "Budget burns" not in plain(text_of(SAMPLES["integrity_page"]), 3_000)


def test_the_worst_stands_first_and_what_is_over_last() -> None:
    over, page, fast, ticket = resolved(burn_page()), burn_page(long=15.0), burn_page(long=40.0), drift_ticket()
    assert worst_first([over, ticket, page, fast]) == [fast, page, ticket, over]


def test_of_equals_the_oldest_stands_first() -> None:
    alerts = many(20)
    same = [replace(a, annotations={}, ended_at=None) for a in alerts]
    assert worst_first(reversed(same)) == same


def test_what_is_kept_of_many_is_the_worst_in_the_order_it_had() -> None:
    alerts = many(300)
    kept = alerts_within(alerts, 3)
    assert len(kept) == 3
    assert alerts[217] in kept
    assert [a.dedup_key for a in kept] == sorted(a.dedup_key for a in kept)


def test_a_title_counts_what_fires_and_a_resolved_group_all_of_it() -> None:
    alerts = many(50)
    assert text_of(of(alerts)).title.startswith("PAGE 48 alerts: worst ")
    assert text_of(of([*alerts[:1], burn_page()])).title.startswith("PAGE 1 alert: Digits answered")
    assert text_of(of([resolved(a) for a in alerts])).title.startswith("RESOLVED 50 alerts: ")
    assert text_of(of([burn_page()], truncated=9)).title.startswith("PAGE 10 alerts: ")


def test_alerts_that_the_notification_leaves_out_are_counted_with_those_left_out_here() -> None:
    text = text_of(of(many(300), truncated=40))
    assert (
        listing(text, 1_000).splitlines()[-1]
        == f"… and {340 - listing(text, 1_000).count('- device')} more, left out here"
    )
    assert listing(text, 100_000).endswith("\n… and 40 more, left out here")


def test_a_severity_that_is_not_ours_is_no_less_than_an_error() -> None:
    other = replace(burn_page(), labels=BURN | {"severity": "sev1"})
    assert text_of(of([other])).title.startswith("SEV1: ")
    assert worst_first([drift_ticket(), other])[0] == other


@pytest.mark.parametrize(
    "evidence", ["", "[]", "{", "[" * 100_000, '{"burn": 1, "members": [1]}', '{"burn": [{"long_burn": 1e999}]}']
)
def test_evidence_that_is_not_ours_is_left_alone(evidence: str) -> None:
    alert = replace(burn_page(), annotations={"summary": "s", "evidence": evidence})
    assert "How bad" not in dict(text_of(of([alert])).facts)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "https://a b", "https://x|y>", "//x", 'https://x"y', "https://x" + "y" * 2_000]
)
def test_what_is_no_address_is_no_link(address: str) -> None:
    told = Told("k", {"alertname": "A"}, {"runbook": address, "console": address, "dashboard": address}, BEGAN, None)
    assert text_of(replace(of([told]), external_url=address)).links == ()


@given(
    labels=st.dictionaries(ANY, ANY, max_size=12),
    annotations=st.dictionaries(ANY, ANY, max_size=4),
    summary=ANY,
    limit=st.integers(0, 4_000),
)
def test_any_labels_make_a_title_and_a_text_within_their_limits(
    labels: dict[str, str], annotations: dict[str, str], summary: str, limit: int
) -> None:
    alert = Told("k", labels, annotations | {"summary": summary}, BEGAN, None)
    for alerts in ([alert], [alert, integrity_page()]):
        text = text_of(of(alerts))
        assert units(text.title) <= TITLE_MAX
        assert "\n" not in text.title
        body = plain(text, limit)
        assert units(body) <= limit
        body.encode("utf-8")
        text.title.encode("utf-8")
