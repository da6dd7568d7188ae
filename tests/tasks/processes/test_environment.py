"""The environment of child processes."""

from __future__ import annotations

import pytest

from tasks.processes.environment import make_environment
from tasks.training.training_request import TRAINING

FOREIGN = {
    "NUMBA_DISABLE_JIT": "1",
    "MATPLOTLIBRC": "/home/me/matplotlibrc",
    "KERAS_BACKEND": "jax",
    "TF_XLA_FLAGS": "--nonsense",
    "XLA_FLAGS": "--nonsense",
    "OMP_NUM_THREADS": "7",
    "MKL_NUM_THREADS": "7",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONHASHSEED": "17",
    "LC_NUMERIC": "de_DE.UTF-8",
    "LANGUAGE": "tr",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_changes_a_figure_does_not_reach_a_child(monkeypatch, name):
    monkeypatch.setenv(name, FOREIGN[name])
    assert make_environment(TRAINING.environment).get(name) != FOREIGN[name]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "AWS_REGION", "PATH", "PYTHONPATH", "NUMBA_CACHE_DIR", "LD_PRELOAD"])
def test_all_else_does(monkeypatch, name):
    monkeypatch.setenv(name, "kept")
    assert make_environment({})[name] == "kept"


def test_the_child_s_locale_and_time_zone_are_the_project_s(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Seoul")
    monkeypatch.setenv("LC_ALL", "ko_KR.EUC-KR")
    environment = make_environment({})
    assert (environment["TZ"], environment["LC_ALL"]) == ("UTC", "C.UTF-8")
