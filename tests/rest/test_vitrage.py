"""Vitrage's service list over HTTP."""

import os
import re

from program.api import Api
from program.cli import HOST, UNREACHABLE, Cli


def rows(api, path="/v1/service/"):
    answer = api.get(path)
    assert answer.status == 200, answer.raw
    return answer.body


def test_who_runs_is_a_bare_list(api, join, until):
    join("vitrage", "b", name="PersistorService_worker_0")
    join("vitrage", "a", name="ApiWorker_worker_0")
    until(lambda: len(rows(api)) == 2)
    first, second = rows(api)
    assert [first["name"], second["name"]] == ["ApiWorker_worker_0", "PersistorService_worker_0"]
    assert (first["process"], first["hostname"]) == (os.getpid(), HOST)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first["created"])
    assert first["status"] == "up"
    assert first["uptime"] >= 0
    assert "beat" in first["reason"]
    for path in ("/v1/service", "/v1/services", "/v1/services/"):
        assert [row["name"] for row in rows(api, path)] == [first["name"], second["name"]]


def test_who_is_down_comes_only_when_asked_for(api, join, service_group, until):
    join("vitrage", "dead", name="ApiWorker_worker_0")
    join("vitrage", "alive", name="ApiWorker_worker_1")
    until(lambda: len(rows(api)) == 2)
    service_group.services.force_down("vitrage", "dead", "fenced")
    until(lambda: [row["member"] for row in rows(api)] == ["alive"])
    dead, alive = rows(api, "/v1/service/?all=true")
    assert (dead["member"], dead["status"], dead["uptime"]) == ("dead", "down", None)
    assert dead["reason"].endswith(": fenced")
    assert (alive["member"], alive["status"]) == ("alive", "up")


def test_wrong_questions(api):
    for path, status, words in (
        ("/v1/service?all=perhaps", 400, "'perhaps' is neither true nor false"),
        ("/v1/service?some=true", 400, "Unexpected arguments: some"),
        ("/v1/service/one", 404, "/v1/service/one"),
    ):
        answer = api.get(path)
        assert (answer.status, words in answer.message) == (status, True), answer.raw
    answer = api("POST", "/v1/service", {"name": "x"})
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, OPTIONS")


def test_a_store_that_is_away_is_no_empty_list(tmp_path):
    cli = Cli(tmp_path)
    cli.configure(database=UNREACHABLE)
    try:
        api = Api(cli)
        for path in ("/v1/service/", "/v2.1/os-services", "/healthcheck"):
            answer = api.get(path)
            assert answer.status == 503
            assert "does not answer" in answer.message
            assert "secret" not in answer.raw.decode()
        assert api.get("/v1/service/").headers["Retry-After"] == "5"
    finally:
        cli.end()


def test_a_store_that_is_not_ready_comes_with_the_remedy(tmp_path):
    cli = Cli(tmp_path)
    try:
        answer = Api(cli).get("/v1/service/")
        assert answer.status == 503
        assert "servicegroup db upgrade" in answer.message
    finally:
        cli.end()
