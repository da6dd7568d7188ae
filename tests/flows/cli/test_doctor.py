"""`retrain doctor`: what it sees, and that it never fails itself."""

from __future__ import annotations

import json

import pytest

from flows.cli import doctor
from flows.cli.command import main
from flows.cli.doctor import Finding


@pytest.fixture
def findings(monkeypatch):
    """Let the doctor find only this."""

    def replace(*found):
        monkeypatch.setattr(doctor, "find_all", lambda _store: list(found))

    return replace


def test_each_probe_has_a_line_and_the_code_is_good(tmp_path, capsys):
    assert main(["doctor", "--store", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    names = [one["name"] for one in found]
    assert names[:6] == ["Python", "packages", "CPUs and memory", "store", "Prefect", "proxies"]
    assert {one["state"] for one in found} <= {"ok", "warning"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_gives_a_bad_code_a_glyph_a_word_and_advice(findings, capsys):
    findings(Finding("store", "wrong", "/srv: read-only", "Choose another folder."), Finding("git", "ok", "abc"))
    assert main(["doctor"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "✖ wrong    store  /srv: read-only",
        "                  Choose another folder.",
        "✔ ok       git    abc",
    ]


def test_a_warning_is_no_reason_to_fail(findings):
    findings(Finding("git", "warning", "no commit is known"))
    assert main(["doctor"]) == 0


def test_a_store_that_cannot_work_is_wrong(capsys):
    assert main(["doctor", "--store", "s3:/bucket/x", "--json"]) == 2
    store = next(one for one in json.loads(capsys.readouterr().out)["findings"] if one["name"] == "store")
    assert (store["state"], "looks like a mistyped URI" in store["value"]) == ("wrong", True)


def test_a_probe_that_fails_or_hangs_is_a_finding(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(doctor, "_see_git", lambda: 1 / 0)
    monkeypatch.setattr(doctor, "_see_clock", lambda: doctor.time.sleep(1))
    found = {one.name: one for one in doctor.find_all(str(tmp_path / "store"))}
    assert list(tmp_path.iterdir()) == []
    assert (found["git"].state, found["git"].value) == ("wrong", "division by zero")
    assert (found["time zone"].state, found["time zone"].value) == ("warning", "no answer within 0.2 s")


def test_passwords_of_proxies_are_not_shown(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret-4711@proxy.example:3128")
    main(["doctor", "--store", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "HTTPS_PROXY=http://proxy.example:3128" in printed
    assert "4711" not in printed
