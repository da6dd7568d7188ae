"""A champion answers about texts, says who it is, and refuses if it is not what it was."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from storage.champion_log import ChampionLog
from storage.schemas import PREDICTION_SCHEMA, REVIEW_SCHEMA
from storage.store import Store
from storage.word_index import read_word_index
from tasks.prediction import load_champion, load_model
from tests.networks import RUN_ID
from tests.places import PROJECT_ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def champion(champion_store):
    return load_champion(champion_store.uri)


@pytest.fixture
def own_store(champion_store, store):
    import shutil

    shutil.copytree(champion_store.uri, store.uri)
    return Store(store.uri)


def test_it_says_who_it_is(champion, champion_store):
    record = ChampionLog(champion_store).read_newest().record
    assert (champion.name, champion.number, champion.identity) == ("main", 1, record.champion.identity)
    assert (champion.run_id, champion.training) == (RUN_ID, "lstm-seed42")


def test_texts_get_the_probabilities_that_the_training_stored(champion, champion_store):
    """The archive's test reviews, written out in words."""
    run_files = ChampionLog(champion_store).read_newest().record.champion.files
    stored = champion_store.read_table(run_files["predictions-test.parquet"], PREDICTION_SCHEMA)
    (profile,) = [path for path in champion_store.list_files("datasets/profile-x") if "reviews" in path]
    import pyarrow.parquet as pq

    table = pq.read_table(champion_store.locate(profile)).cast(REVIEW_SCHEMA)
    path = next(path for path in champion_store.list_files("datasets/download-x") if "index" in path)
    index = {rank: word for word, rank in read_word_index(champion_store.read_bytes(path), "index").items()}
    texts = [" ".join(index[rank] for rank in words) for words in table["words"].to_pylist()]
    said = champion.predict(texts)
    assert said.dtype == np.float32
    assert table["review_id"].to_pylist() == stored["review_id"].to_pylist()
    assert np.abs(said - stored["probability"].to_numpy()).max() < 1e-5


def test_many_texts_and_few_get_the_same_answers(champion):
    texts = ["this film is good", "a dull film"] * 200
    assert np.abs(champion.predict(texts)[:2] - champion.predict(texts[:2])).max() < 1e-5


def test_unknown_words_and_cut_texts_are_told(champion):
    answers = champion.answer(["this film", "zyxx qwrt", "film " * 100, "", "this zyxx"])
    assert answers.unknown.tolist() == [0.0, 1.0, 0.0, 1.0, 0.5]
    assert answers.is_cut.tolist() == [False, False, True, False, False]


def test_leaving_a_word_out_moves_the_probability_by_its_share(champion):
    words, moves = champion.leave_one_out("This film is good!")
    assert words == ("this", "film", "is", "good")
    whole, without = champion.predict(["this film is good", "film is good"])
    assert moves[0] == pytest.approx(whole - without, abs=1e-6)


def test_the_plain_keras_model_is_there_for_whoever_asks(champion, gru):
    tokens, _, _ = champion.encoder.encode(["this film is good"])
    expected = gru.predict(tokens.astype(np.int32), verbose=0)[:, 0]
    assert np.abs(champion.model.predict(tokens.astype(np.int32), verbose=0)[:, 0] - expected).max() < 1e-6


def test_a_model_of_a_run_can_be_asked_instead(champion, champion_store):
    model = load_model(RUN_ID, "lstm-seed42", champion_store.uri)
    assert (model.name, model.number, model.identity) == (None, None, champion.identity)
    assert model.predict(["this film"]) == champion.predict(["this film"])


def test_it_loads_without_prefect_tensorflow_and_numba(champion_store):
    script = (
        "import sys, json; from tasks.prediction import load_champion; "
        f"said = load_champion({champion_store.uri!r}).predict(['this film']); "
        "print(json.dumps([float(said[0]), sorted(set(sys.modules) & {'prefect', 'tensorflow', 'keras', 'numba'})]))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    said, loaded = json.loads(done.stdout)
    assert 0 < said < 1
    assert loaded == []


def test_without_a_champion_one_line_says_how_to_make_one(tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match=r"There must be a champion main in .*\. There is none yet; `retrain champion"):
        load_champion(str(tmp_path / "store"))
    with pytest.raises(FileNotFoundError, match="`store` must be a folder that exists"):
        load_champion(str(tmp_path / "nowhere"))


def test_a_damaged_champion_is_refused(own_store):
    path = f"runs/{RUN_ID}/lstm-seed42/model.keras"
    own_store.write_bytes(path, own_store.read_bytes(path)[:-1])
    with pytest.raises(ValueError, match=r"model\.keras must have SHA-256"):
        load_champion(own_store.uri)


def test_a_champion_that_answers_differently_than_it_did_is_refused(own_store):
    log = ChampionLog(own_store)
    record = log.read(1).record
    references = replace(record.champion.references, probabilities=(0.5,) * 50)
    changed = replace(record, champion=replace(record.champion, references=references))
    own_store.write_manifest(log.path_of(1), asdict(changed))
    with pytest.raises(ValueError, match=r"must give its reference outputs within 0\.0001 with today's libraries"):
        load_champion(own_store.uri)
