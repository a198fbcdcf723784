"""Settings: file under environment, every mistake with its place or its variable, secrets never shown."""

from pathlib import Path

import pytest

from sloengine.config.settings import Settings, load_settings
from sloengine.errors import ConfigError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("sloengine.yaml").write_text(text, encoding="utf-8")


def problems() -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return [str(p) for p in caught.value.problems]


def test_without_a_file_and_variables_the_defaults_hold() -> None:
    found = load_settings()
    assert (found.store.url, found.engine.tick_s, found.web.host) == ("http://127.0.0.1:8123", 10.0, "127.0.0.1")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_no_mistake(text: str) -> None:
    write(text)
    assert load_settings().cluster == "edge"


def test_the_file_is_read() -> None:
    write("cluster: lab\nengine:\n  tick_s: 5\nstore: {url: 'http://ch:8123', database: slo}\ncatalogue: promises\n")
    found = load_settings()
    assert (found.cluster, found.engine.tick_s, found.store.database) == ("lab", 5.0, "slo")
    assert (found.store.url, found.catalogue) == ("http://ch:8123", Path("promises"))


def test_the_environment_goes_over_the_file_key_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    write("cluster: lab\nengine:\n  tick_s: 5\n  resolve_after_s: 60\n")
    monkeypatch.setenv("SLOENGINE_ENGINE__TICK_S", "7")
    monkeypatch.setenv("SLOENGINE_STORE__PASSWORD", "from-env")
    found = load_settings()
    assert (found.cluster, found.engine.tick_s, found.engine.resolve_after_s) == ("lab", 7.0, 60.0)
    assert found.store.password.get_secret_value() == "from-env"


def test_a_right_variable_heals_a_wrong_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("engine:\n  tick_s: often\n")
    monkeypatch.setenv("SLOENGINE_ENGINE__TICK_S", "7")
    assert load_settings().engine.tick_s == 7


def test_variables_of_other_parts_with_our_prefix_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOENGINE_STORE_ADMIN_PASSWORD", "x")
    monkeypatch.setenv("SLOENGINE_GATEWAY_ID", "gw")
    assert load_settings() == load_settings()


@pytest.mark.parametrize(
    ("case", "text", "said"),
    [
        ("unknown key", "clutser: a\n", ["sloengine.yaml:1: error: unknown key 'clutser'; did you mean 'cluster'?"]),
        (
            "unknown key inside a section, on its own line",
            "cluster: a\nengine:\n  tick_s: 5\n  tik_s: 3\n",
            ["sloengine.yaml:4: error: unknown key 'engine.tik_s'; did you mean 'tick_s'?"],
        ),
        ("unknown key that resembles none", "zzzzzz: 1\n", ["sloengine.yaml:1: error: unknown key 'zzzzzz'"]),
        (
            "all problems at once",
            "web:\n  port: 99999\n\nengine:\n  tick_s: 0\nstore:\n  database: a-b\n",
            [
                "sloengine.yaml:7: error: store.database: a database's name has letters, digits and _, no digit first",
                "sloengine.yaml:5: error: engine.tick_s: must be above 0",
                "sloengine.yaml:2: error: web.port: must be at most 65535",
            ],
        ),
        ("a list", "- cluster: a\n", ["sloengine.yaml:1: error: expected a mapping of settings"]),
        ("a word", "cluster\n", ["sloengine.yaml:1: error: expected a mapping of settings"]),
        (
            "two documents",
            "cluster: a\n---\ncluster: b\n",
            ["sloengine.yaml:3: error: expected one YAML document, found 2"],
        ),
        ("a tab", "engine:\n\ttick_s: 5\n", ["sloengine.yaml:2: error: not valid YAML"]),
        ("a key twice", "cluster: a\ncluster: b\n", ["sloengine.yaml:2: error: not valid YAML: found duplicate key"]),
        (
            "a section that is a number",
            "web: 3\n",
            ["sloengine.yaml:1: error: web: expected a mapping of keys to values"],
        ),
    ],
)
def test_mistakes_in_the_file_are_named_with_their_line(case: str, text: str, said: list[str]) -> None:
    write(text)
    found = problems()
    assert len(found) == len(said), (case, found)
    for line, start in zip(found, said, strict=True):
        assert line.startswith(start), case


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "SLOENGINE_ENGINE__TICK_S",
            "often",
            "SLOENGINE_ENGINE__TICK_S: expected a number",
        ),
        ("SLOENGINE_WEB__PORT", "-1", "SLOENGINE_WEB__PORT: must be at least 0"),
        ("SLOENGINE_WEB__PROT", "1", "unknown setting 'SLOENGINE_WEB__PROT'; did you mean 'SLOENGINE_WEB__PORT'?"),
        (
            "SLOENGINE_STORE",
            "http://x",
            "SLOENGINE_STORE: must be a JSON object; or set its parts, such as SLOENGINE_STORE__URL",
        ),
    ],
)
@pytest.mark.parametrize("text", [None, "engine:\n  tick_s: 5\n"])
def test_a_wrong_variable_is_named(
    text: str | None, variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text:
        write(text)
    monkeypatch.setenv(variable, value)
    assert problems() == [f"environment:1: error: {said}"]


def test_a_wrong_file_and_a_wrong_variable_are_told_apart_and_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    write("web:\n  port: many\n")
    monkeypatch.setenv("SLOENGINE_ENGINE__TICK_S", "often")
    assert sorted(p.split(": error")[0] for p in problems()) == ["environment:1", "sloengine.yaml:2"]


def test_no_secret_is_in_any_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOENGINE_STORE__PASSWORD", "hunter2")
    monkeypatch.setenv("SLOENGINE_WEB__OTLP_TOKEN", "hunter2")
    monkeypatch.setenv("SLOENGINE_STATE_URL", "postgresql://slo:hunter2@db/slo")
    monkeypatch.setenv("SLOENGINE_STORE__URL", "http://slo:hunter2@ch:8123")
    found = load_settings()
    assert "hunter2" not in repr(found) + str(found) + repr(found.store) + repr(found.web)


@pytest.mark.parametrize("key", ["password: [hunter2]", "database: hunter-2-hunter2", "user: {a: hunter2}"])
def test_no_value_is_repeated_in_a_complaint_about_it(key: str) -> None:
    write(f"store:\n  {key}\n")
    assert "hunter2" not in "".join(problems())


def test_settings_can_not_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().cluster = "other"  # type: ignore[misc]
    assert isinstance(load_settings(), Settings)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("SLOENGINE_CATALOGU", "SLOENGINE_CATALOGUE"),
        ("SLOENGINE_STROE__URL", "SLOENGINE_STORE__URL"),
        ("SLOENGINE_STATEURL", "SLOENGINE_STATE_URL"),
        ("SLOENGINE_SPAN_PERCENTS", "SLOENGINE_SPAN_PERCENT"),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    write("engine: {tick_s: 0}\n")
    monkeypatch.setenv(variable, "x")
    assert f"environment:1: error: unknown variable '{variable}'; did you mean '{meant}'?" in problems()
    assert len(problems()) == 2, "all mistakes at once"


@pytest.mark.parametrize("variable", ["SLOENGINE_STORE_URL", "SLOENGINE_GATEWAY_ID", "SLOENGINE_NIGHTLY", "SLOENGINEX"])
def test_variables_of_gateways_and_of_others_are_none_of_the_engines_business(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    assert load_settings().cluster == "edge"
