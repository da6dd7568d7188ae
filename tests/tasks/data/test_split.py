"""The split of a small archive; test_keras_data.py compares it with Keras and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from storage.schemas import SPLIT_SCHEMA
from tasks.data.split import draw_orders, draw_validation, encode_reviews, split_part
from tasks.prepare import split_reviews
from tests.archives import publish_archive, reviews_of
from tests.splits import RECIPE, flatten


def test_a_review_becomes_a_start_token_and_its_words_shifted_by_three():
    assert encode_reviews(reviews_of([1, 14, 22]), 500).to_pylist() == [[1, 4, 17, 25]]


def test_words_outside_the_vocabulary_become_token_2():
    assert encode_reviews(reviews_of([496, 497, 88586]), 500).to_pylist() == [[1, 499, 2, 2]]


def test_a_review_without_words_is_a_start_token():
    assert encode_reviews(reviews_of([], [5], []), 500).to_pylist() == [[1], [1, 8], [1]]


def test_the_largest_vocabulary_keeps_its_largest_word():
    assert encode_reviews(reviews_of([65532, 65533]), 65536).to_pylist() == [[1, 65535, 2]]


@pytest.mark.parametrize("rank", [2**32 - 1, 2**32 - 2, 2**32 - 3])
def test_a_rank_at_the_type_s_limit_does_not_wrap_round_to_a_small_token(rank):
    assert encode_reviews(reviews_of([rank]), 500).to_pylist() == [[1, 2]]


def test_both_parts_are_shuffled_by_one_generator_as_keras_does():
    train, test = draw_orders(5, 5)
    assert train.tolist() == [1, 0, 3, 2, 4]
    assert test.tolist() == [3, 0, 1, 4, 2]


@pytest.mark.parametrize(
    ("count", "fraction", "seed"), [(25000, 0.2, 42), (7, 0.5, 0), (100, 0.333, 1), (10, 0.3, 7), (1000, 0.001, 42)]
)
def test_the_validation_reviews_are_those_that_scikit_learn_draws(count, fraction, seed):
    expected_train, expected_validation = train_test_split(np.arange(count), test_size=fraction, random_state=seed)
    train, validation = draw_validation(count, fraction, seed)
    np.testing.assert_array_equal(train, expected_train)
    np.testing.assert_array_equal(validation, expected_validation)


def test_a_review_id_says_where_in_the_archive_the_review_stands(sample_archive):
    content = sample_archive.read_bytes()
    tables = split_part("train", content, "sample.npz", RECIPE)
    assert {name: table.num_rows for name, table in tables.items()} == {"train": 80, "validation": 20}
    identifiers = tables["train"]["review_id"].to_pylist() + tables["validation"]["review_id"].to_pylist()
    assert sorted(identifiers) == sorted(f"train-{position}" for position in range(100))
    with np.load(sample_archive, allow_pickle=True) as archive:
        position = int(identifiers[0].removeprefix("train-"))
        words = [rank + 3 if rank + 3 < 500 else 2 for rank in archive["x_train"][position]]
        label = archive["y_train"][position]
    assert tables["train"]["tokens"][0].as_py() == [1, *words]
    assert tables["train"]["label"][0].as_py() == label


def test_the_test_part_is_one_table(sample_archive):
    tables = split_part("test", sample_archive.read_bytes(), "sample.npz", RECIPE)
    assert {name: table.num_rows for name, table in tables.items()} == {"test": 100}
    assert tables["test"].schema.equals(SPLIT_SCHEMA)


@pytest.mark.parametrize(("fraction", "train", "validation"), [(0.015, 98, 2), (0.98, 2, 98)])
def test_two_reviews_are_enough_for_a_part(sample_archive, fraction, train, validation):
    parameters = replace(RECIPE, validation_fraction=fraction)
    tables = split_part("train", sample_archive.read_bytes(), "sample.npz", parameters)
    assert {name: table.num_rows for name, table in tables.items()} == {"train": train, "validation": validation}


@pytest.mark.parametrize("fraction", [0.005, 0.985, 0.9999])
def test_an_archive_too_small_to_give_all_three_parts_is_refused(sample_archive, fraction):
    """With these fractions, 100 reviews leave 1 for validation, 1 for training, and none for training."""
    parameters = replace(RECIPE, validation_fraction=fraction)
    with pytest.raises(ValueError, match="at least two reviews") as caught:
        split_part("train", sample_archive.read_bytes(), "sample.npz", parameters)
    assert str(caught.value) == "sample.npz must hold at least two reviews for each of train, validation and test."


def test_a_second_split_finds_the_first_and_says_so(store, run_task, sample_archive, children):
    archive = publish_archive(store, sample_archive.read_bytes())
    first = run_task(split_reviews, archive, RECIPE, store, children)
    second = run_task(split_reviews, archive, RECIPE, store, children)
    assert (first.name, second.name) == ("Completed", "Cached")
    assert second.result() == first.result()


def test_splits_of_other_vocabularies_do_not_collide(store, run_task, sample_archive, children):
    archive = publish_archive(store, sample_archive.read_bytes())
    datasets = [
        run_task(split_reviews, archive, parameters, store, children).result()
        for parameters in (RECIPE, replace(RECIPE, num_words=50))
    ]
    assert datasets[0].key != datasets[1].key
    largest = [int(flatten(store.read_table(dataset.files["train"], SPLIT_SCHEMA))[0].max()) for dataset in datasets]
    assert largest == [499, 49]


def test_an_archive_that_is_none_fails_the_split_with_one_line_and_publishes_nothing(store, run_task, children):
    archive = publish_archive(store, b"<html>404</html>")
    before = store.list_files("")
    error = run_task(split_reviews, archive, RECIPE, store, children).result(raise_on_failure=False)
    assert isinstance(error, ValueError)
    assert str(error) == "reviews.npz must be a whole .npz archive. Received: 16 bytes, File is not a zip file."
    assert store.list_files("") == before


def test_a_damaged_split_is_put_aside_and_made_again(store, run_task, sample_archive, children):
    archive = publish_archive(store, sample_archive.read_bytes())
    split = run_task(split_reviews, archive, RECIPE, store, children).result()
    store.write_bytes(split.files["test"].path, b"damaged")
    again = run_task(split_reviews, archive, RECIPE, store, children)
    assert again.name == "Completed"
    assert again.result() == split
    store.verify(split.files["test"])
    assert len(store.list_files("quarantine")) == 2
