"""The command prints help; for bad input it prints one line, ends with exit code 2, and leaves no file."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.command import main
from tests.places import PROJECT_ROOT
from tests.stores import publish_pad


@pytest.fixture
def retrain(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run


def test_help_lists_the_commands(retrain):
    code, out, err = retrain("--help")
    assert (code, err) == (0, "")
    assert "retrain now, and write the report" in out
    assert "hash every file in the store again, and name what is damaged or missing" in out


@pytest.mark.parametrize(
    ("command", "phrases"),
    [
        (
            "run",
            [
                "Exit code: 0 all well, 1 a training failed or a check stopped the run, 2 bad input, 3 the gate",
                "models to train (lstm,lstm_dropout,lstm_stacked,gru)",
                "--epochs N",
                "at most this many (100)",
                "retrain run --source sample --epochs 2",
                "folder or s3://bucket/prefix for everything (RETRAIN_STORE, or output)",
            ],
        ),
        ("verify", ["Exit code: 0 all sound, 2 not.", "retrain verify --store /srv/retraining"]),
    ],
)
def test_the_help_of_a_command_has_defaults_and_examples(retrain, command, phrases):
    code, out, err = retrain(command, "--help")
    assert (code, err) == (0, "")
    for phrase in phrases:
        assert phrase in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "retrain: the following arguments are required: COMMAND (see retrain --help)"),
        (
            ["run", "--epochs", "many"],
            "retrain run: argument --epochs: invalid int value: 'many' (see retrain run --help)",
        ),
        (
            ["run", "--seeds", "1,x"],
            "retrain run: argument --seeds: must be integers separated by commas. Received: 1,x. "
            "(see retrain run --help)",
        ),
        (["run", "--epochs", "0"], "retrain run: `epochs` must be an integer of at least 1. Received: epochs=0."),
        (["run", "--maxlen", "-1"], "retrain run: `maxlen` must be an integer of at least 1. Received: maxlen=-1."),
        (
            ["run", "--num-words", "4"],
            "retrain run: `num_words` must be an integer from 5 to 65536. Received: num_words=4.",
        ),
        (
            ["run", "--epochs", "0", "--maxlen", "0"],
            "retrain run: `maxlen` must be an integer of at least 1. Received: maxlen=0. "
            "`epochs` must be an integer of at least 1. Received: epochs=0.",
        ),
        (
            ["run", "--learning-rate", "nan"],
            "retrain run: `learning_rate` must be a positive number. Received: learning_rate=nan.",
        ),
        (
            ["run", "--variants", "lstm,bert"],
            "retrain run: `variants` must be different names out of lstm, lstm_dropout, lstm_stacked, gru. "
            "Received: variants=bert.",
        ),
        (
            ["run", "--source", "http://example.org/imdb.npz"],
            "retrain run: `sha256` must be given with an address of your own. "
            "Received: source='http://example.org/imdb.npz' alone.",
        ),
        (
            ["run", "--source", "nowhere.npz"],
            "retrain run: `source` must be auto, imdb, sample, a file or an http(s) address. No file at nowhere.npz.",
        ),
        (
            ["run", "--store", "ftp://host/x"],
            "retrain run: `store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs "
            "opens. Received: store='ftp://host/x' (Unrecognized filesystem type in URI: ftp://host/x).",
        ),
        (
            ["verify", "--store", "ftp://host/x"],
            "retrain verify: `store` must be a folder, a file: URI, s3://bucket/prefix or another URI that pyarrow.fs "
            "opens. Received: store='ftp://host/x' (Unrecognized filesystem type in URI: ftp://host/x).",
        ),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2_and_leaves_nothing(retrain, tmp_path, arguments, line):
    assert retrain(*arguments) == (2, "", line + "\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["dance"], ["run", "--unknown"], ["run", "--epochs"], ["verify", "extra"]])
def test_an_unknown_argument_gives_one_line_that_points_to_the_help(retrain, tmp_path, arguments):
    code, out, err = retrain(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("retrain")
    assert err.endswith("--help)\n")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_gives_one_line(retrain, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, out, err = retrain("run", "--source", "sample", "--store", "file")
    assert (code, out) == (2, "")
    assert err.startswith("retrain run: `store` must be a folder that can be written. Received: store='file' (")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_the_module_and_the_command_are_the_same():
    outputs = []
    for command in ([sys.executable, "-m", "flows"], [str(Path(sys.executable).with_name("retrain"))]):
        done = subprocess.run(
            [*command, "run", "--epochs", "0"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        outputs.append((done.returncode, done.stdout, done.stderr))
    expected = "retrain run: `epochs` must be an integer of at least 1. Received: epochs=0.\n"
    assert outputs == [(2, "", expected)] * 2


def test_help_imports_no_large_library():
    """The imports would take half a second, and the help takes a fifth of that."""
    script = (
        "import sys; from flows.cli.command import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'jinja2', 'numpy', 'prefect', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_bad_input_is_found_without_importing_prefect_or_keras():
    script = (
        "import sys; from flows.cli.command import main; main(['run', '--epochs', '0']);"
        "print(sorted({'prefect', 'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("module", ["flows.cli.parser", "tasks.data.split", "tasks.data.pad", "reports.evidence"])
def test_pydantic_is_not_imported_before_a_record_is_decoded(module):
    script = f"import sys, {module}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_verify_counts_the_files_of_a_sound_store(retrain, store):
    publish_pad(store)
    assert retrain("verify", "--store", store.uri) == (0, f"{store.uri}: 2 files sound, 0 damaged or missing\n", "")


def test_verify_names_damaged_files_and_exits_with_code_2(retrain, store):
    Path(store.locate(publish_pad(store).files["train"].path)).unlink()
    code, out, err = retrain("verify", "--store", store.uri)
    assert code == 2
    assert err == f"{store.uri}/datasets/pad-84d628a8f59f3e5a/train.parquet must be there and is missing.\n"
    assert out == f"{store.uri}: 1 files sound, 1 damaged or missing\n"


def test_verify_lists_unfinished_and_quarantined_files(retrain, store):
    store.write_bytes("raw/half.npz", b"hello")
    checkpoint = store.write_bytes("runs/1/gru-seed42/checkpoints/epoch-0005/state-x.npz", b"state").path
    store.write_bytes("raw/bad.npz", b"hello")
    target = store.quarantine("raw/bad.npz")
    code, out, err = retrain("verify", "--store", store.uri)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "raw/half.npz is named by no manifest: a run was interrupted, or is still writing.",
        f"{checkpoint} belongs to a checkpoint: a run was interrupted, or is still writing.",
        f"{target} was found damaged earlier and moved here; you may delete it.",
        f"{store.uri}: 0 files sound, 0 damaged or missing",
    ]


def test_verify_reads_the_store_that_the_environment_names(retrain, store, monkeypatch):
    publish_pad(store)
    monkeypatch.setenv("RETRAIN_STORE", store.uri)
    assert retrain("verify") == (0, f"{store.uri}: 2 files sound, 0 damaged or missing\n", "")
