"""`retrain run` ends with the verdict, then the table, then the report's address once."""

from __future__ import annotations

from dataclasses import replace

from flows.cli.run_command import print_outcome
from storage.records import FailedTraining
from tests.example_runs import FOUR_VARIANTS, evidence_of

ADDRESS = "/srv/reports/x.html"


def test_the_verdict_is_above_the_table_and_the_report_s_address_once_below_it(capsys):
    assert print_outcome(FOUR_VARIANTS, evidence_of(FOUR_VARIANTS), ADDRESS) == 0
    out, err = capsys.readouterr()
    verdict, header, *rows, last = out.splitlines()
    assert verdict.startswith("No clear winner: lstm and lstm_dropout are level; ")
    assert "By the rule (lowest validation loss) lstm is chosen. It gets 80.0% of 1,000 test reviews right" in verdict
    assert header.split()[:3] == ["training", "epochs", "best"]
    assert rows[0].split()[0] == "lstm-seed42"
    assert last == f"report: {ADDRESS}"
    assert (out.count(ADDRESS), err) == (1, "")


def test_the_verdict_is_in_the_report_s_language(capsys):
    run = replace(FOUR_VARIANTS, parameters={**FOUR_VARIANTS.parameters, "language": "ko"})
    print_outcome(run, evidence_of(run), ADDRESS)
    assert capsys.readouterr().out.startswith("뚜렷한 최고 모델 없음: ")


def test_the_verdict_and_the_exit_code_tell_of_a_failed_training(capsys):
    run = replace(FOUR_VARIANTS, failures=(FailedTraining("gru", 42, "gone"),), notice="Made-up reviews.")
    assert print_outcome(run, evidence_of(run), ADDRESS) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 of 4 variants failed, so no winner is named.")
    assert out.splitlines()[-2:] == ["Made-up reviews.", f"report: {ADDRESS}"]
    assert err == "retrain run: gru-seed42 failed: gone\n"
