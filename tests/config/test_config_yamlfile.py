"""YAML that remembers lines, and nothing that people or attackers put into a file makes it do anything but refuse."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sloengine.config.catalogue import check_catalogue
from sloengine.config.yamlfile import MAX_FILE_BYTES, plain, read_documents
from sloengine.errors import ConfigError

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_documents(path)
    (problem,) = caught.value.problems
    assert problem.severity == "error"
    return str(problem).removeprefix(f"{path}:")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 400))
MERGES = "b: &b\n" + "".join(f"  k{n}: 1\n" for n in range(1000)) + "c: {<<: [" + ", ".join(["*b"] * 1000) + "]}\n"


@pytest.mark.parametrize(
    ("case", "content", "said"),
    [
        ("wrong indentation", "a: 1\nb:\n  c: 1\n d: 2\n", "4: error: not valid YAML: "),
        ("a tab", "a:\n\tb: 1\n", "2: error: not valid YAML: found character '\\t' that cannot start any token"),
        (
            "a quote that is not closed",
            'a: 1\nb: "x\nc: 2\n',
            "4: error: not valid YAML: found unexpected end of stream",
        ),
        ("a bracket that is not closed", "a: [1, 2\nb: 3\n", "2: error: not valid YAML: "),
        ("a bracket at the end that is not closed", "a: 1\nb: [1", "2: error: not valid YAML: "),
        ("a key twice", "a: 1\nb: 2\na: 3\n", '3: error: not valid YAML: found duplicate key "a"'),
        ("an alias of nothing", "a: 1\nb: *c\n", "2: error: not valid YAML: found undefined alias"),
        ("a control character", b"a: \x00\n", "1: error: not valid YAML"),
        ("not UTF-8", b"a: 1\nb: \xff\n", "2: error: can't be read: 'utf-8' codec can't decode byte 0xff"),
        (
            "not UTF-8, further down",
            b"a: 1\n" * 9 + b"\xff",
            "10: error: can't be read: 'utf-8' codec can't decode byte 0xff",
        ),
        ("two megabytes", "a: " + "x" * 2 * 2**20, "1: error: larger than 1 MiB"),
        ("fifty megabytes", b"# " + b"x" * 50 * 2**20, "1: error: larger than 1 MiB"),
        (
            "three hundred thousand numbers",
            "[" + "1," * 300_000 + "1]",
            "1: error: holds more than 50000 line ends, commas",
        ),
        ("ten thousand documents and more", "---\n" * 20_000, "1: error: holds more than 50000 line ends, commas"),
        (
            "a month that is none",
            "a: 1\nb: [1, 2026-13-41]\n",
            "2: error: not valid YAML: '2026-13-41' is no value: month must",
        ),
        ("five thousand digits", "a: 1\nb: " + "9" * 5000, "2: error: not valid YAML: '999"),
        ("a merge of itself", "a: &a\n  <<: *a\n", "2: error: not valid YAML: << needs a mapping"),
        ("a merge of a word", "a: 1\n<<: b\n", "2: error: not valid YAML: << needs a mapping"),
        ("merges of merges", MERGES, "1002: error: << takes over more than 200000 keys"),
        ("nested far", "- " * 5000, "1: error: nested deeper than 200 levels"),
        ("nested far by aliases", CHAIN, "1: error: nested deeper than 200 levels once aliases are expanded"),
        ("a tag of another kind", "a: 1\nb: !x 2\n", "2: error: not valid YAML: tag '!x' is not known here"),
        ("a key that is a list", "a: 1\n? [b]\n: 2\n", "2: error: not valid YAML: a key is one word"),
        ("a word where a key should be", "a: 1\nb\nc: 2\n", "2: error: not valid YAML: could not find expected ':'"),
        ("an alias bomb", BOMB, "1: error: holds more than 200000 values once aliases are expanded"),
        ("a list that holds itself", "- &a [*a, *a]\n", "1: error: nested deeper than 200 levels once aliases"),
        ("five hundred open brackets", "a: 1\nb: " + "[" * 500, "2: error: nested deeper than 200 brackets"),
    ],
)
def test_a_file_is_refused_with_its_line(case: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    found = refusal(write(tmp_path, content))
    assert found.startswith(said), (case, found)


def test_a_missing_file_and_a_folder_are_refused_in_words(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.yaml")
    assert "it is not a file" in refusal(tmp_path)


def test_a_pipe_and_a_device_without_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    _, problems = check_catalogue([tmp_path])
    said = "error: can't be read: it is not a file"
    assert [str(p) for p in problems] == [f"{tmp_path}/{name}.yaml:1: {said}" for name in ("pipe", "zero")]


def test_of_thousands_of_unknown_keys_the_first_hundred_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(3000))
    head = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x}\n"
    path = write(tmp_path, f"{head}spec: {{service: a, indicatorRef: M1, {keys}}}\n")
    _, problems = check_catalogue([path])
    assert len(problems) == 101
    assert "and 2900 more of this kind" in {p.message for p in problems}


def test_a_list_of_thousands_of_aliases_of_itself_costs_neither_memory_nor_time(tmp_path: Path) -> None:
    path = write(tmp_path, "- &a [" + ", ".join(["*a"] * 5000) + "]\n")
    began = time.monotonic()
    tracemalloc.start()
    try:
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300 * 2**20
    assert time.monotonic() - began < 30


def test_another_version_of_yaml_is_refused_because_words_mean_something_else_there(tmp_path: Path) -> None:
    assert "only YAML 1.2 is read" in refusal(write(tmp_path, "%YAML 1.1\n---\na: yes\n"))
    (document,) = read_documents(write(tmp_path, "%YAML 1.2\n---\na: yes\nb: 017\nc: 1:30\nd: on\n"))
    assert plain(document.value) == {"a": "yes", "b": 17, "c": "1:30", "d": "on"}


def test_all_values_that_are_none_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_documents(write(tmp_path, "a: 2026-13-41\nb: *c\na: !x 1\n---\n{d: 0x_, e: 1, e: 2}\n"))
    assert [(p.line, p.message.removeprefix("not valid YAML: ")[:26]) for p in caught.value.problems] == [
        (1, "'2026-13-41' is no value: "),
        (2, "found undefined alias 'c'"),
        (3, "tag '!x' is not known here"),
        (3, 'found duplicate key "a"'),
        (5, "'0x_' is no value: invalid"),
        (5, 'found duplicate key "e"'),
    ]


def test_a_file_at_both_limits_is_read_within_a_second(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed; ruamel's parser takes some seconds")
    one = "---\na: {b: [c, 'd'], e: 12}\n" + "f: " + "word " * 100 + "\n"
    count = MAX_FILE_BYTES // len(one)
    path = write(tmp_path, one * count)
    began = time.process_time()
    assert len(read_documents(path)) == count
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("content", "count"), [("", 0), ("# words\n", 0), ("---\n---\n", 0), ("a: 1\n---\n---\nb: 1\n", 2)]
)
def test_empty_documents_are_none(content: str, count: int, tmp_path: Path) -> None:
    assert len(read_documents(write(tmp_path, content))) == count


def test_a_file_just_within_the_limit_is_read(tmp_path: Path) -> None:
    (document,) = read_documents(write(tmp_path, "a: '" + "x" * (MAX_FILE_BYTES - 6) + "'\n"))
    assert len(document.value["a"]) == MAX_FILE_BYTES - 6


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("b",), 3),
        (("b", "c"), 4),
        (("b", "d"), 5),
        (("b", "d", 0), 6),
        (("b", "d", 1, "f"), 8),
        (("b", "d", 7), 5),
        (("b", "missing", "deeper"), 3),
        (("nowhere",), 2),
        (("e", 1), 9),
        (("a", "of a word"), 2),
    ],
)
def test_every_place_has_a_line_and_what_is_missing_has_its_parents(
    path: tuple[str | int, ...], line: int, tmp_path: Path
) -> None:
    text = "# words\na: 1\nb:\n  c: 2\n  d:\n    - x\n    - e: 1\n      f: 2\ne: [1, 2]\n"
    (document,) = read_documents(write(tmp_path, text))
    assert document.line(path) == line
    assert str(document.problem("so", path, "warning")).endswith(f":{line}: warning: so")


def test_later_documents_keep_counting_lines(tmp_path: Path) -> None:
    first, second = read_documents(write(tmp_path, "a: 1\n---\n\nb:\n  c: 1\n"))
    assert (first.line(("a",)), second.line(("b", "c"))) == (1, 5)


def test_plain_holds_only_plain_values(tmp_path: Path) -> None:
    (document,) = read_documents(write(tmp_path, "a: &x {1: 0.5, b: [yes, null]}\nc: {<<: *x, d: 0o17}\n"))
    found = plain(document.value)
    assert found == {"a": {"1": 0.5, "b": ["yes", None]}, "c": {"1": 0.5, "b": ["yes", None], "d": 15}}
    assert (type(found), type(found["a"]), type(found["a"]["b"])) == (dict, dict, list)


def only_config_error(path: Path) -> None:
    try:
        for document in read_documents(path):
            plain(document.value)
            document.line(("a", 0, "b"))
    except ConfigError as error:
        assert error.problems
        assert all(p.line >= 1 and p.message for p in error.problems)
    _, problems = check_catalogue([path])
    assert all(p.line >= 1 and p.message for p in problems)


PIECES = [
    *("a", "b", "1", "-1", "0x", "1e400", "1:30", ".nan", "2026-01-01", "2026-13-41", "2026-01-01T99:00:00Z", "~"),
    *(": ", ":\n", "\n", "  ", "\t", "- ", "? ", ", ", "[", "]", "{", "}", "'", '"', "|\n", ">-\n", "---\n", "...\n"),
    *(
        "&a ",
        "*a",
        "<<: ",
        "! ",
        "!!int ",
        "!!float ",
        "!!bool ",
        "!!null ",
        "!!set ",
        "!!omap ",
        "!!pairs ",
        "!x ",
        "!<>",
    ),
    *(
        "!!timestamp ",
        "!!binary ",
        "!!python/name:os ",
        "%YAML 1.1\n",
        "%YAML 9.9\n",
        "%TAG ! !\n",
        "#",
        "=",
        "\\u",
        "\ufeff",
    ),
    *("apiVersion: openslo/v1\n", "kind: SLO\n", "metadata: ", "spec: ", "\u2028", "\x85", "\U0001f600", "\ud800"),
]


@same_folder
@given(text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
@example(text="!!int x")
@example(text="!!timestamp x")
@example(text="2026-13-41")
@example(text="!!omap [1]")
@example(text="? [a]\n: 1")
@example(text="<<: 3")
@example(text="<<: [3]")
@example(text="!!float ''")
@example(text="!!binary '%'")
@example(text="0x_")
@example(text="a: " + "[" * 200 + "]" * 200)
@example(text="a: " + "9" * 5000)
def test_whatever_text_is_in_a_file_nothing_but_a_config_error_comes_out(text: str, tmp_path: Path) -> None:
    only_config_error(write(tmp_path, text))


@same_folder
@given(content=st.binary(max_size=40))
def test_whatever_bytes_are_in_a_file_nothing_but_a_config_error_comes_out(content: bytes, tmp_path: Path) -> None:
    only_config_error(write(tmp_path, content))
