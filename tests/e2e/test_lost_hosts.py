"""Hosts that lose each other: a worker's host is cut off while it trains, and comes back."""

from __future__ import annotations

import re

import pytest

from tests.chaos.hosts import site_on_hosts
from tests.chaos.network import find_obstacle
from tests.processes import training_children
from tests.stubs import OFTEN, STUB
from tests.waiting import wait_until

EPOCHS = 24


@pytest.fixture
def site(tmp_path, migrated_home):
    if obstacle := find_obstacle():
        pytest.skip(obstacle)
    variables = STUB | OFTEN | {"STUB_EPOCH_SECONDS": "0.5"}
    with site_on_hosts(tmp_path, ["first", "second"], migrated_home, **variables) as opened:
        opened.shorten_alarms()
        yield opened


def test_a_worker_that_is_cut_off_trains_on_and_its_training_finishes_elsewhere(site):
    run = site.start_run(
        *f"--source sample --sample-reviews 400 --epochs {EPOCHS} --patience {EPOCHS} --variants lstm,gru".split()
    )
    wait_until(lambda: training_children(site.workers["first"]), 120, "a training on the first worker")
    wait_until(lambda: " epoch 2/" in site.log_of("first").read_text(), 60, "its second epoch")
    site.network.cut("first")
    # Its epochs take as long as before, although it can tell nobody.
    wait_until(lambda: f" epoch {EPOCHS}/{EPOCHS}" in site.log_of("first").read_text(), 40, "its last epoch")
    wait_until(lambda: "it is submitted again" in site.log_of("run").read_text(), 120, "the loss of the first worker")
    site.network.heal("first")
    assert run.wait(120) == 0, site.log_of("run").read_text()
    said = site.log_of("run").read_text()
    assert sorted(re.findall(r"(\S+-seed42) is done", said)) == ["gru-seed42", "lstm-seed42"]
    assert said.count("it is submitted again") == 1
    code, verified = site.verify()
    assert (code, "0 damaged or missing" in verified) == (0, True), verified
