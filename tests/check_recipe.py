"""Compare the newest run of a store with the published results: `python tests/check_recipe.py STORE`."""

from __future__ import annotations

import sys

from storage.runs import read_run
from storage.store import Store

# The book's best validation losses were 0.4368, 0.4473, 0.467 and 0.4317. The bounds allow for the spread of seeds.
HIGHEST_VALIDATION_LOSS = {"lstm": 0.445, "lstm_dropout": 0.455, "lstm_stacked": 0.475, "gru": 0.440}
LOWEST_TEST_ACCURACY = 0.78


def main(store: Store) -> int:
    """Print one line for each variant; return 1 if one is missing or misses a bound, otherwise 0."""
    run_id = max(path.split("/")[1] for path in store.list_files("runs") if path.endswith("/run.json"))
    found = {training.variant: training for training in read_run(store, run_id).trainings}
    missed = 0
    for variant, bound in HIGHEST_VALIDATION_LOSS.items():
        training = found.get(variant)
        if training is None:
            print(f"{variant}: missing")
            missed += 1
            continue
        loss, accuracy = training.validation.loss, training.test.accuracy
        kept = loss <= bound and accuracy >= LOWEST_TEST_ACCURACY
        missed += not kept
        print(
            f"{variant}: val_loss {loss:.4f} (at most {bound}), test accuracy {accuracy:.4f} "
            f"(at least {LOWEST_TEST_ACCURACY}): {'kept' if kept else 'MISSED'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(Store(sys.argv[1])))
