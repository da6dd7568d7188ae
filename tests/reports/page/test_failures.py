"""Failed trainings: the end of the error, and what probably caused it."""

from __future__ import annotations

import pytest

from reports.page.failures import guess_cause, list_failures
from storage.records import FailedTraining
from tests.example_runs import a_run
from tests.reports.page.evidence_parts import ENGLISH


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("Keras has no layer LTSM", "No layer LTSM; did you mean LSTM?"),
        ("module 'keras.layers' has no attribute 'Gru'", "No layer Gru; did you mean GRU?"),
        ("it was killed by SIGKILL", "Probably too little memory: give --jobs a smaller number."),
        ("it reached its timeout of 60 s", "It took too long: give --timeout-seconds a larger number."),
        (
            "no worker of the pool training took it within 5 s",
            "No worker was free: start one of the pool that the error names.",
        ),
        ("the loss is not finite in epoch 3", "Probably the learning rate is too high."),
        ("[Errno 28] No space left on device", "The disk is full: make room for the store."),
        ("the layer LSTM does not fit", ""),
        ("something else", ""),
    ],
)
def test_the_likely_cause_of_an_error_is_named_with_what_to_do(error, cause):
    assert guess_cause(error, ENGLISH) == cause


def test_the_end_of_a_long_error_is_shown_and_the_whole_is_kept():
    long = "first line\n" + "x" * 300
    run = a_run(failures=[FailedTraining("gru", 42, long), FailedTraining("lstm", 42, "short")])
    gru, lstm = list_failures(run, ENGLISH)
    assert (gru.name, gru.error, gru.log) == ("gru-seed42", "x" * 200, long)
    assert (lstm.error, lstm.log) == ("short", "")


def test_the_end_of_a_training_s_log_is_shown():
    [gru] = list_failures(a_run(failures=[FailedTraining("gru", 42, "gone", "epoch 3\nnan\n")]), ENGLISH)
    assert (gru.error, gru.log) == ("gone", "epoch 3\nnan")
