"""Steps pass records to each other, so a record cannot be changed."""

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from storage import checkpoint_records, records

MODULES = (records, checkpoint_records)
KINDS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if is_dataclass(kind) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_record_cannot_be_changed(kind):
    record = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(record, fields(kind)[0].name, None)


def test_the_records_are_ten():
    assert len(KINDS) == 10


def test_a_training_and_a_failed_one_are_named_by_variant_and_seed():
    assert records.training_name("lstm", 42) == "lstm-seed42"
    assert records.FailedTraining("gru", 7, "no").name == "gru-seed7"
