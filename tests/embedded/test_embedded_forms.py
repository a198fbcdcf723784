"""Queries as forms, as clickhouse-connect sends them when parameters are too long for a URL."""

from __future__ import annotations

import clickhouse_connect
import httpx
import pytest

ADMIN, READER = ("default", "adm"), ("reader", "rdr")


def test_parameters_too_long_for_a_url_come_as_a_form(store) -> None:
    url = httpx.URL(store.url)
    client = clickhouse_connect.get_client(host=url.host, port=url.port, username="default", password="adm")
    names = [f"metric.number.{n}'\"\\\n é 💥" for n in range(5000)]
    sql = "SELECT length({names:Array(String)}) AS n, {names:Array(String)}[5000] AS last"
    assert client.query(sql, parameters={"names": names}).result_rows == [(5000, names[-1])]
    client.close()


@pytest.mark.parametrize(
    ("case", "files", "status", "said"),
    [
        ("a query alone", {"query": (None, "SELECT 7")}, 200, "7"),
        ("a parameter", {"query": (None, "SELECT {x:String}"), "param_x": (None, "é 💥 -- '")}, 200, "é 💥"),
        ("an external table", {"query": (None, "SELECT 1"), "t": ("t", "1")}, 501, "External tables"),
        ("a field that is neither", {"query": (None, "SELECT 1"), "user": (None, "admin")}, 400, "neither query nor"),
    ],
)
def test_forms_by_example(store, case: str, files: dict, status: int, said: str) -> None:
    answer = httpx.post(store.url, files=files, auth=ADMIN)
    assert (answer.status_code, said in answer.text) == (status, True), (case, answer.text)


def test_what_is_no_form_or_too_large_is_refused(store) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert httpx.post(store.url, content=b"SELECT 1", headers=headers, auth=ADMIN).status_code == 400
    huge = {"query": (None, "SELECT 1"), "param_x": (None, "y" * (9 << 20))}
    assert httpx.post(store.url, files=huge, auth=ADMIN).status_code == 413


def test_a_form_gives_no_more_rights_than_a_url(store) -> None:
    form = {"query": (None, "CREATE TABLE intruder (a Int8) ENGINE = Memory")}
    assert httpx.post(store.url, files=form, auth=READER).status_code == 403
    assert httpx.post(store.url, files=form).status_code == 401
