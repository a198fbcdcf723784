"""Where alerts go and how their groups are called, as Alertmanager has it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sloengine.alert.matchers import labels_written, matches, written
from sloengine.alert.routes import Branch, Timers, groups_of, grow, matching, walk
from sloengine.model import Matcher


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, "=", value)


PAGE, TICKET, ML = equal("severity", "page"), equal("severity", "ticket"), Matcher("team", "=~", "ml|ops")
TREE = grow(
    Branch(
        receiver="everybody",
        group_by=("cluster",),
        wait=timedelta(seconds=10),
        routes=(
            Branch((PAGE,), "on-call", ("...",), goes_on=True, routes=(Branch((ML,), repeat=timedelta(hours=1)),)),
            Branch((PAGE,), "archive"),
            Branch((ML, TICKET), "", ("model",), safety=True, routes=(Branch((equal("x", ""),), "quiet"),)),
            Branch((TICKET,), "never"),
        ),
    )
)


@pytest.mark.parametrize(
    ("case", "labels", "receivers"),
    [
        ("nothing matches", {"severity": "info"}, ["everybody"]),
        ("a route that goes on, then the next", {"severity": "page"}, ["on-call", "archive"]),
        ("the deepest takes it, its receiver inherited", {"severity": "page", "team": "ml"}, ["on-call", "archive"]),
        ("a label that is absent is empty", {"severity": "ticket", "team": "ml"}, ["quiet"]),
        ("the parent, where no child matches", {"severity": "ticket", "team": "ops", "x": "y"}, ["everybody"]),
        ("expressions are anchored", {"severity": "ticket", "team": "mlx"}, ["never"]),
    ],
)
def test_the_tree_is_walked_depth_first(case: str, labels: dict[str, str], receivers: list[str]) -> None:
    assert [route.receiver for route in matching(TREE, labels)] == receivers, case


def test_what_is_not_said_is_inherited() -> None:
    everybody, on_call, ml, archive, safety, quiet, _ = (route for _, route in walk(TREE))
    assert everybody.timers == Timers(timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=4))
    assert ml.timers == Timers(timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=1))
    assert (on_call.group_by, ml.group_by, archive.group_by) == (None, None, {"cluster"})
    assert [route.safety for route in (everybody, safety, quiet)] == [False, True, True]


def test_group_keys_are_written_as_alertmanager_does() -> None:
    labels = {"severity": "page", "team": "ml", "cluster": "a"}
    first, second = groups_of(TREE, labels)
    assert first.key == '{}/{severity="page"}/{team=~"ml|ops"}:{cluster="a", severity="page", team="ml"}'
    assert (second.key, second.labels) == ('{}/{severity="page"}:{cluster="a"}', {"cluster": "a"})
    (third,) = groups_of(TREE, {"severity": "ticket", "team": "ops", "x": "y", "cluster": "a"})
    assert third.key == '{}/{severity="ticket",team=~"ml|ops"}:{}'


def test_two_routes_of_one_path_tell_one_receiver_once() -> None:
    twice = grow(Branch(receiver="a", routes=(Branch((PAGE,), goes_on=True), Branch((PAGE,)))))
    assert len(groups_of(twice, {"severity": "page"})) == 1


def test_quotes_are_gos() -> None:
    assert written([Matcher("a", "!=", 'x"\\\n')]) == '{a!="x\\"\\\\\\n"}'
    assert labels_written({"a": 'x"\\\n\x01é\u200b\U000e0001', "a1": ""}) == (
        '{a1="", a="x\\"\\\\\\n\\x01é\\u200b\\U000e0001"}'
    )


@pytest.mark.parametrize(
    ("op", "value", "label", "met"),
    [
        ("=", "a", "a", True),
        ("!=", "a", "a", False),
        ("!=", "a", "", True),
        ("=~", "a.*", "abc", True),
        ("=~", "a", "abc", False),
        ("=~", "a|b", "b", True),
        ("!~", "a|b", "c", True),
        ("=~", "a", "a\n", False),
        ("=~", ".*", "a\nb", False),
        ("=~", "^(?:(?i)ab)$", "aB", True),
        ("=~", "^(?:a|b)$", "b", True),
        ("=~", r"\d", "٣", False),  # a digit, and none of ASCII's
    ],
)
def test_matchers(op: str, value: str, label: str, met: bool) -> None:
    assert matches(Matcher("x", op, value), {"x": label}) is met
