"""A wrong parameter is refused before the run starts: one line has its name, what it must be and its value."""

import re
from dataclasses import replace

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.checks import check_parameters
from flows.parameters import DEFAULTS, NightlyParameters
from storage.store_address import choose_store

GOOD = NightlyParameters(source="sample", variants=("lstm", "gru"), seeds=(42, 43), timeout_seconds=3600.0)
NAMES = "different names out of lstm, lstm_dropout, lstm_stacked, gru"
SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def check(tmp_path):
    def run(**changes) -> None:
        check_parameters(replace(GOOD, **{"store": str(tmp_path / "store"), **changes}))

    return run


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"variants": ("lstm", "lstm_dropout", "lstm_stacked", "gru")},
        {"seeds": (0, 4294967295), "split_seed": 4294967295},
        {"epochs": 1, "batch_size": 1, "patience": 1, "maxlen": 1, "embedding_dim": 1, "split_seed": 0, "jobs": 1},
        {"num_words": 5},
        {"num_words": 65536},
        {"sample_reviews": 20},
        {"baselines": False, "language": "ko"},
        {"source": "imdb"},
        {"source": "auto"},
        {"source": "http://example.org/imdb.npz", "sha256": SHA256},
    ],
)
def test_good_parameters_pass(check, changes):
    check(**changes)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("variants", ("lstm", "bert"), f"`variants` must be {NAMES}. Received: variants=bert."),
        ("language", "fr", "`language` must be one of en, ko. Received: language=fr."),
        ("variants", ("gru", "gru"), f"`variants` must be {NAMES}. Received: variants=gru,gru."),
        ("variants", (), f"`variants` must be {NAMES}. Received: variants=."),
        ("seeds", (), "`seeds` must be one or more different integers. Received: seeds=()."),
        ("seeds", (42, 42), "`seeds` must be one or more different integers. Received: seeds=(42, 42)."),
        ("seeds", (-1,), "`seeds` must be integers from 0 to 4294967295. Received: seeds=(-1,)."),
        ("seeds", (2**32,), "`seeds` must be integers from 0 to 4294967295. Received: seeds=(4294967296,)."),
        ("epochs", 0, "`epochs` must be an integer of at least 1. Received: epochs=0."),
        ("batch_size", 0, "`batch_size` must be an integer of at least 1. Received: batch_size=0."),
        ("patience", 0, "`patience` must be an integer of at least 1. Received: patience=0."),
        ("maxlen", 0, "`maxlen` must be an integer of at least 1. Received: maxlen=0."),
        ("embedding_dim", -16, "`embedding_dim` must be an integer of at least 1. Received: embedding_dim=-16."),
        ("split_seed", -1, "`split_seed` must be an integer from 0 to 4294967295. Received: split_seed=-1."),
        ("split_seed", 2**32, "`split_seed` must be an integer from 0 to 4294967295. Received: split_seed=4294967296."),
        ("learning_rate", 0.0, "`learning_rate` must be a positive number. Received: learning_rate=0.0."),
        ("learning_rate", -0.1, "`learning_rate` must be a positive number. Received: learning_rate=-0.1."),
        ("learning_rate", float("nan"), "`learning_rate` must be a positive number. Received: learning_rate=nan."),
        ("learning_rate", float("inf"), "`learning_rate` must be a positive number. Received: learning_rate=inf."),
        ("timeout_seconds", 0.0, "`timeout_seconds` must be a positive number. Received: timeout_seconds=0.0."),
        ("num_words", 4, "`num_words` must be an integer from 5 to 65536. Received: num_words=4."),
        ("num_words", 65537, "`num_words` must be an integer from 5 to 65536. Received: num_words=65537."),
        (
            "validation_fraction",
            0.0,
            "`validation_fraction` must be a number between 0 and 1. Received: validation_fraction=0.0.",
        ),
        (
            "validation_fraction",
            1.0,
            "`validation_fraction` must be a number between 0 and 1. Received: validation_fraction=1.0.",
        ),
        ("sample_reviews", 19, "`sample_reviews` must be an integer from 20 to 500000. Received: sample_reviews=19."),
        ("jobs", 0, "`jobs` must be an integer of at least 1. Received: jobs=0."),
        ("placement", "cloud", "`placement` must be one of local, workers. Received: placement=cloud."),
        ("sha256", SHA256, f"`sha256` must be left out with source=sample. Received: sha256={SHA256}."),
        (
            "store",
            "ftp://host/x",
            "`store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs opens. "
            "Received: store='ftp://host/x' (Unrecognized filesystem type in URI: ftp://host/x).",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(check, tmp_path, name, value, message):
    with pytest.raises(ValueError, match=f"^`{name}` must be ") as caught:
        check(**{name: value})
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_one_line_names_all_wrong_parameters(check, tmp_path):
    wrong = {"epochs": 0, "jobs": 0, "seeds": (1, 1), "source": "http://example.org/x.npz", "store": "ftp://host/x"}
    with pytest.raises(ValueError, match="epochs") as caught:
        check(**wrong)
    assert re.findall(r"`(\w+)` must be", str(caught.value)) == ["epochs", "jobs", "seeds", "sha256", "store"]
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "start"),
    [
        (
            {"source": "nowhere.npz"},
            FileNotFoundError,
            "`source` must be auto, imdb, sample, a file or an http(s) address.",
        ),
        ({"source": "http://example.org/x.npz"}, ValueError, "`sha256` must be given with an address of your own."),
        ({"source": "imdb", "sha256": "abc"}, ValueError, "`sha256` must be 64 hexadecimal digits in lower case."),
        ({"source": "auto", "sha256": "abc"}, ValueError, "`sha256` must be 64 hexadecimal digits in lower case."),
    ],
)
def test_a_wrong_source_is_refused_before_anything_is_written(check, tmp_path, monkeypatch, changes, error, start):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        check(**changes)
    assert str(caught.value).startswith(start)
    assert list(tmp_path.iterdir()) == []


def test_placement_on_workers_is_refused_without_a_server_of_its_own(check, tmp_path):
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(ValueError, match="placement") as caught:
        check(placement="workers")
    assert str(caught.value) == (
        "`placement` must be local if PREFECT_API_URL is not set, because no worker can reach a temporary server. "
        "Received: placement=workers."
    )
    assert list(tmp_path.iterdir()) == []
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        check(placement="workers")


def test_a_store_that_cannot_be_written_is_refused(check, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"^`store` must be a folder that can be written"):
        check(store=str(tmp_path / "file"))


def test_the_store_is_the_given_one_else_that_of_the_environment_else_output(monkeypatch):
    assert choose_store(None) == "output"
    monkeypatch.setenv("RETRAIN_STORE", "/srv/retraining")
    assert choose_store(None) == "/srv/retraining"
    assert choose_store("/tmp/mine") == "/tmp/mine"


@pytest.fixture
def own(tmp_path):
    """A file of a team's own reviews."""
    path = tmp_path / "mine.csv"
    path.write_text("text,label\nA fine film.,1\n")
    return str(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "OWN", "reviews": "OWN"}, "`reviews` must be left out if `source` has reviews"),
        ({"reviews": "/nowhere/reviews.csv"}, "`reviews` must be a file or folder that exists"),
        ({"label_map": "1=neg,2=pos"}, "`label_map` must be left out without reviews of your own"),
        ({"reviews": "OWN", "label_map": "1=neg,2=neg"}, "with both neg and pos"),
        ({"reviews": "OWN", "encoding": "cp9999"}, "`encoding` must be a text encoding that Python knows"),
        ({"reviews": "OWN", "vocabulary": "build"}, "`vocabulary` must be imdb beside an archive"),
        ({"vocabulary": "build"}, "`vocabulary` must be left out without reviews of your own"),
        ({"reviews": "OWN", "tokens": "characters"}, "`tokens` must be words with IMDB's word index"),
        ({"source": "OWN", "tokens": "characters", "vocabulary": "imdb"}, "`tokens` must be words"),
        ({"check_fewer": (0.5, 0.1)}, "`check_fewer` must be two numbers"),
        ({"check_balance": (0.1, 0.2)}, "`check_balance` must be two numbers"),
        ({"check_drift": (0.1,)}, "`check_drift` must be two numbers"),
        ({"source": "https://example.org/reviews.csv"}, "`sha256` must be given"),
    ],
)
def test_options_of_own_reviews_that_do_not_fit_together_are_one_line(tmp_path, own, changes, words):
    given = {name: own if value == "OWN" else value for name, value in changes.items()}
    with pytest.raises((ValueError, OSError), match=words) as caught:
        check_parameters(replace(DEFAULTS, store=str(tmp_path / "store"), **given))
    assert "\n" not in str(caught.value)


def test_own_reviews_alone_or_beside_an_archive_are_allowed(tmp_path, own):
    for given in ({"source": own}, {"reviews": own}, {"source": own, "tokens": "characters"}):
        check_parameters(replace(DEFAULTS, store=str(tmp_path / "store"), **given))
