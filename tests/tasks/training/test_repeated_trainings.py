"""If a child does several trainings, each has the same weights as in a fresh process."""

import random

import pytest

from tasks.training.training_request import TRAINING
from tasks.variants import BASELINES, VARIANTS, Variant, layer
from tests.forked_trainings import run_forked
from tests.processes import training_children
from tests.trainings import request_for

pytestmark = pytest.mark.slow

# For the XLA trainer, which compiles a program.
AVERAGED = Variant("averaged", (layer("Dropout", rate=0.3), layer("GlobalAveragePooling1D")))
ALL = (*VARIANTS, *BASELINES, AVERAGED)
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def fresh(prepared):
    """By variant, the hash of the weights and the names of the layers after a training in a process of its own."""
    return {variant.name: run_forked(request_for(prepared, variant, f"runs/fresh/{variant.name}")) for variant in ALL}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_weights_are_those_of_a_fresh_process_in_any_order(prepared, fresh, children, seed):
    order = random.Random(seed).sample(ALL, len(ALL))
    pids = set()
    for place, variant in enumerate(order):
        result = children.ask(TRAINING, request_for(prepared, variant, f"runs/order-{seed}/{place}"), 120)
        assert result.weights_sha256 == fresh[variant.name].weights_sha256, [one.name for one in order]
        assert result.validation == fresh[variant.name].validation
        pids |= {child.pid for child in training_children()}
    # A child that has grown by compiling was replaced.
    assert len(pids) <= 2


def test_a_child_needs_no_more_memory_for_many_trainings_than_for_a_few(prepared, children):
    sizes = []
    for place in range(50):
        variant = VARIANTS[place % len(VARIANTS)]
        request = request_for(prepared, variant, f"runs/many/{place}", seed=place, epochs=1)
        children.ask(TRAINING, request, 120)
        (child,) = training_children()
        sizes.append(child.memory_info().rss)
    assert (max(sizes[5:]) - sizes[4]) / MEGABYTE < 100, [size // MEGABYTE for size in sizes]


def test_a_layer_that_keras_does_not_have_is_not_tried_again(prepared, children, run_task):
    from tasks.train import PlannedTraining, train_variant
    from tests.trainings import inputs_for

    unheard_of = PlannedTraining(Variant("transformer", (layer("Transformer", units=8),)), 42)
    state = run_task(train_variant, unheard_of, inputs_for(prepared), children)
    assert "has no attribute 'Transformer'" in str(state.result(raise_on_failure=False))
    assert state.state_details.task_run_id is not None
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        assert client.read_task_run(state.state_details.task_run_id).run_count == 1
