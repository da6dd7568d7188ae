"""An object store adds a network that fails in many ways, and secrets that must not appear anywhere."""

from __future__ import annotations

import _thread
import hashlib
import os
import subprocess
import sys
import threading

import pytest

from flows.cli.command import main
from flows.cli.past_runs import choose_run
from storage import location
from storage.datasets import find_dataset
from storage.runs import list_runs, read_run, verify_store
from storage.store import DamagedFileError, Store
from tests.object_server import (
    CREDENTIALS,
    answer_after,
    answer_busy,
    answer_forbidden,
    cut_download,
    cut_upload,
    list_without,
)
from tests.places import PROJECT_ROOT
from tests.stores import PAD_INPUTS, RUN_ID, publish_example_run, publish_pad
from tests.waiting import wait_until

# pyarrow sends objects of more than 10 MB in parts.
LARGE = bytes(range(256)) * 70_000
ADVICE = "Check the network and the address, and in the environment the endpoint, the region and the credentials."


def bucket_of(store: Store) -> str:
    return store.uri.split("/")[2]


@pytest.fixture
def impatient(monkeypatch):
    """Shorten the time limits, so that a test of them takes less than a minute."""
    monkeypatch.setattr(location, "SILENCE_SECONDS", 1)
    monkeypatch.setattr(location, "ATTEMPTS", 2)


# Addresses.


def test_what_is_stored_is_told_by_its_uri(object_store):
    again = Store(object_store.uri + "/")
    assert again.locate("runs/1/run.json") == f"{object_store.uri}/runs/1/run.json"
    assert again.locate("") == object_store.uri
    assert Store(object_store.absolute_uri).locate("") == object_store.uri


def test_objects_lie_below_the_prefix_and_nothing_lies_beside_it(object_store, object_server):
    object_store.write_bytes("runs/1/run.json", b"{}")
    assert object_server.list_keys(bucket_of(object_store)) == ["retraining/runs/1/run.json"]


def test_a_whole_bucket_can_be_the_store(object_store):
    whole = Store(f"s3://{bucket_of(object_store)}")
    whole.check_writable()
    whole.check_readable()
    object_store.write_bytes("hello.txt", b"hello")
    assert whole.list_files("") == ["retraining/hello.txt"]


def test_the_endpoint_for_s3_alone_comes_before_the_one_for_all(object_store, object_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", object_server.url)
    assert object_store.write_bytes("hello.txt", b"hello").bytes == 5


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIATEST:canary@bucket/retraining",
        "s3://AKIATEST:can/ary@bucket/retraining",
        "s3://AKIATEST:canary/retraining",
        "s3://canary@bucket",
        "gs://bucket/retraining?access_token=canary",
        "abfs://:canary@account.blob.core.windows.net/container",
        "abfss://container@account.dfs.core.windows.net/x?client_secret=canary",
        "abfs://container@account.dfs.core.windows.net/x?sv=2024&sig=canary",
        "https://user:canary@example.org/x",
    ],
)
def test_an_address_with_a_secret_is_refused_without_repeating_it(uri, capsys):
    with pytest.raises(ValueError, match="must not hold a secret") as caught:
        Store(uri).check_writable()
    assert str(caught.value) == (
        "`store` must not hold a secret, because addresses are logged and kept. Received: one with a secret. "
        "Give it in the environment instead, for S3 as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )
    assert main(["verify", "--store", uri]) == 2
    assert "canary" not in "".join(capsys.readouterr())


def test_an_endpoint_with_a_password_is_refused_without_repeating_it(object_store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:canary@127.0.0.1:9")
    with pytest.raises(ValueError, match="AWS_ENDPOINT_URL must be an address alone") as caught:
        object_store.check_writable()
    assert "canary" not in str(caught.value)


def test_options_behind_an_address_are_refused():
    with pytest.raises(ValueError, match="come from the environment") as caught:
        Store("s3://bucket/x?region=eu-central-1").check_readable()
    assert str(caught.value).endswith("Received: options behind s3://bucket.")


# Publishing an object.


def test_a_small_object_is_one_request_and_a_large_one_is_read_by_two(object_store, object_server):
    object_server.requests.clear()
    object_store.write_bytes("hello.txt", b"hello")
    key = f"/{bucket_of(object_store)}/retraining/hello.txt"
    assert object_server.requests == [("PUT", key)]
    file = object_store.write_bytes("large.npz", LARGE)
    object_server.requests.clear()
    assert object_store.read_verified(file) == LARGE
    assert [method for method, _ in object_server.requests] == ["HEAD", "GET"]


def test_a_large_object_arrives_whole(object_store):
    chunks = [LARGE[first : first + (1 << 20)] for first in range(0, len(LARGE), 1 << 20)]
    file = object_store.write_chunks("raw/large.npz", chunks, hashlib.sha256(LARGE).hexdigest())
    object_store.verify(file)
    assert file.bytes == len(LARGE)


@pytest.mark.parametrize(
    ("content", "method", "target"),
    [(b"new", "PUT", "hello.txt"), (LARGE, "PUT", "partNumber=2"), (LARGE, "POST", "uploadId=")],
    ids=["the object", "its second part", "the end of its parts"],
)
def test_an_upload_that_is_refused_leaves_the_older_object_as_it_was(
    object_store, object_server, content, method, target
):
    file = object_store.write_bytes("hello.txt", b"hello")
    object_server.fail(method, target, answer_forbidden, times=9)
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        object_store.write_bytes("hello.txt", content)
    assert object_store.read_verified(file) == b"hello"
    assert object_server.list_keys(bucket_of(object_store)) == ["retraining/hello.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"x" * 100_000, LARGE], ids=["whole", "in parts"])
def test_an_upload_that_is_cut_is_sent_again(object_store, object_server, content):
    object_server.fail("PUT", "hello.txt", cut_upload, times=2)
    file = object_store.write_bytes("hello.txt", content)
    assert object_store.read_verified(file) == content


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"x" * 100_000, LARGE], ids=["whole", "in parts"])
def test_an_upload_that_is_always_cut_leaves_nothing_torn(object_store, object_server, content, impatient):
    file = object_store.write_bytes("hello.txt", b"hello")
    object_server.fail("PUT", "hello.txt", cut_upload, times=99)
    object_server.fail("PUT", "other.txt", cut_upload, times=99)
    for path in ("hello.txt", "other.txt"):
        with pytest.raises(OSError, match="NETWORK_CONNECTION"):
            object_store.write_bytes(path, content)
    assert object_store.read_verified(file) == b"hello"
    assert object_store.list_files("") == ["hello.txt"]


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_of_an_upload_leaves_nothing(object_store, object_server):
    object_server.fail("PUT", "partNumber=2", answer_after(5))
    script = "import sys; from storage.store import Store; Store(sys.argv[1]).write_bytes('large.npz', bytes(20 << 20))"
    process = subprocess.Popen([sys.executable, "-c", script, object_store.uri], cwd=PROJECT_ROOT)
    key = f"/{bucket_of(object_store)}/retraining/large.npz"
    try:
        wait_until(lambda: object_server.requests.count(("PUT", key)) >= 2, 30, "the upload of two parts", every=0.01)
    finally:
        process.kill()
        process.wait()
    assert object_store.list_files("") == []


@pytest.mark.slow
def test_an_interrupt_waits_for_the_upload_and_what_appears_is_whole(object_store, object_server):
    object_server.fail("PUT", "hello.txt", answer_after(1))
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        object_store.write_bytes("hello.txt", b"hello")
    assert object_store.read_bytes("hello.txt") == b"hello"


# A network that fails.


@pytest.mark.slow
def test_an_endpoint_that_is_busy_for_a_while_is_asked_again(object_store, object_server):
    for method in ("PUT", "HEAD", "GET"):
        object_server.fail(method, "", answer_busy, times=2)
    file = object_store.write_bytes("hello.txt", b"hello" * 1000)
    assert object_store.read_verified(file) == b"hello" * 1000
    object_server.fail("GET", "list-type=2", answer_busy, times=2)
    assert object_store.list_files("") == ["hello.txt"]


def test_an_endpoint_that_stays_busy_gives_one_line(object_store, object_server, impatient):
    object_server.fail("PUT", "", answer_busy, times=99)
    with pytest.raises(OSError, match="SLOW_DOWN") as caught:
        object_store.write_bytes("hello.txt", b"hello")
    assert str(caught.value) == (
        f"The store {object_store.uri} could not be used: When uploading object with key 'retraining/hello.txt' in "
        f"bucket '{bucket_of(object_store)}': AWS Error SLOW_DOWN during PutObject operation: as the test wants it. "
        f"{ADVICE}"
    )


@pytest.mark.slow
def test_an_answer_that_takes_its_time_is_waited_for(object_store, object_server):
    object_server.fail("PUT", "", answer_after(3))
    file = object_store.write_bytes("hello.txt", b"hello")
    object_server.fail("GET", "", answer_after(3))
    assert object_store.read_verified(file) == b"hello"


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_asked_for_again(object_store, object_server, impatient):
    file = object_store.write_bytes("hello.txt", b"hello")
    object_server.fail("GET", "hello.txt", answer_after(4))
    object_server.requests.clear()
    assert object_store.read_verified(file) == b"hello"
    # The answer to the first GET arrived too late.
    assert [method for method, _ in object_server.requests] == ["HEAD", "GET", "GET"]


@pytest.mark.slow
def test_a_download_that_is_cut_is_asked_for_again(object_store, object_server):
    file = object_store.write_bytes("hello.txt", b"hello" * 1000)
    object_server.fail("GET", "hello.txt", cut_download, times=2)
    assert object_store.read_verified(file) == b"hello" * 1000


@pytest.mark.slow
def test_a_download_that_is_always_cut_is_no_damage_and_nothing_is_put_aside(object_store, object_server, impatient):
    publish_pad(object_store)
    object_server.fail("GET", "train.parquet", cut_download, times=99)
    with pytest.raises(OSError, match="NETWORK_CONNECTION") as caught:
        find_dataset(object_store, "pad", PAD_INPUTS)
    assert not isinstance(caught.value, DamagedFileError)
    object_server.behave()
    found, damage = find_dataset(object_store, "pad", PAD_INPUTS)
    assert (found is not None, damage) == (True, [])


@pytest.mark.slow
def test_an_endpoint_that_is_not_there_is_found_out(object_store, monkeypatch, impatient):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="Could not connect to server") as caught:
        object_store.check_writable()
    assert str(caught.value).startswith(f"The store {object_store.uri} could not be used: When uploading object with ")
    assert str(caught.value).endswith(f": Could not connect to server. {ADVICE}")
    assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.slow
def test_an_endpoint_that_never_answers_is_given_up(object_store, object_server, impatient):
    object_server.fail("PUT", "", answer_after(30), times=99)
    object_server.requests.clear()
    with pytest.raises(OSError, match="Timeout was reached"):
        object_store.check_writable()
    assert [method for method, _ in object_server.requests] == ["PUT", "PUT"]


def test_a_bucket_that_is_not_there_gives_one_line_and_exit_code_2(object_store, capsys, monkeypatch):
    uri = object_store.uri.replace("bucket-", "nobody-s-")
    assert main(["run", "--source", "sample", "--store", uri]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"retrain run: The store {uri} could not be used: When uploading object with key ")
    assert "AWS Error NO_SUCH_BUCKET during PutObject operation: The specified bucket does not exist" in err
    assert (err.count("\n"), err.endswith(f" {ADVICE}\n")) == (1, True)
    for command in ("report", "history", "verify"):
        assert main([command, "--store", uri]) == 2
        assert capsys.readouterr() == (
            "",
            f"retrain {command}: `store` must be a bucket and prefix that hold something. Received: store='{uri}'.\n",
        )


def test_the_check_of_a_good_store_leaves_no_object(object_store, object_server):
    object_store.check_writable()
    # pyarrow keeps the prefix with an empty object of its name, which is not a file.
    assert object_server.list_keys(bucket_of(object_store)) == ["retraining/"]
    assert object_store.list_files("") == []
    object_store.check_readable()


# A listing that lags behind.


def test_what_a_listing_does_not_show_yet_is_found_by_its_key(object_store, object_server):
    dataset = publish_pad(object_store)
    run = publish_example_run(object_store)
    object_server.fail("GET", "list-type=2", list_without("run.json"), times=2)
    assert list_runs(object_store) == []
    assert choose_run(object_store, RUN_ID) == RUN_ID
    assert read_run(object_store, RUN_ID) == run
    object_server.behave()
    object_server.fail("GET", "list-type=2", list_without("pad-84d628a8f59f3e5a/manifest.json"), times=99)
    found, damage = find_dataset(object_store, "pad", dataset.inputs)
    assert (found is not None, damage) == (True, [])
    assert verify_store(object_store).damaged == ()


def test_a_damaged_object_is_put_aside_and_the_dataset_is_to_be_built_again(object_store):
    publish_pad(object_store)
    object_store.write_bytes("datasets/pad-84d628a8f59f3e5a/train.parquet", b"reviewz")
    found, (sentence,) = find_dataset(object_store, "pad", PAD_INPUTS)
    assert found is None
    assert sentence.startswith(f"{object_store.uri}/datasets/pad-84d628a8f59f3e5a/train.parquet must have SHA-256 ")
    assert len(object_store.list_files("quarantine")) == len(object_store.list_files("")) == 2


# A whole run, as a user starts it.


@pytest.fixture(scope="module")
def retrain(object_server, tmp_path_factory):
    """Run the command in a process with a prefix of its own; return its exit code, standard output and error."""
    uri = f"s3://{object_server.make_bucket()}/nights/retraining"
    environment = os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": object_server.url, "RETRAIN_STORE": uri}
    folder = tmp_path_factory.mktemp("elsewhere")
    # PYTHONPATH, because the command does not run in the folder of the project.
    environment["PYTHONPATH"] = str(PROJECT_ROOT)

    def run(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "flows", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        said.append(done.stdout + done.stderr)
        return done.returncode, done.stdout, done.stderr

    said: list[str] = []
    run.uri, run.said, run.folder = uri, said, folder
    return run


@pytest.fixture(scope="module")
def finished(retrain):
    options = "--source sample --sample-reviews 400 --epochs 2 --maxlen 40 --variants gru --no-baselines"
    return retrain("run", *options.split(), "--store", retrain.uri)


@pytest.mark.slow
def test_a_run_ends_well_and_its_report_is_told_by_its_uri(finished, retrain):
    code, out, err = finished
    assert code == 0, err
    assert out.splitlines()[-1].startswith(f"report: {retrain.uri}/reports/2")


@pytest.mark.slow
def test_a_run_leaves_nothing_on_the_machine(finished, retrain):
    assert list(retrain.folder.iterdir()) == []


@pytest.mark.slow
def test_the_other_commands_work_on_it(finished, retrain):
    address = finished[1].splitlines()[-1]
    assert retrain("report") == (0, f"{address}\n", "")
    code, out, err = retrain("history")
    assert (code, err) == (0, "")
    assert address.split("/")[-1].removesuffix(".html") in out
    code, out, err = retrain("verify")
    assert (code, err) == (0, "")
    assert out.startswith(f"{retrain.uri}: ")
    assert out.endswith(" files sound, 0 damaged or missing\n")


@pytest.mark.slow
def test_a_flipped_bit_in_a_stored_object_is_named_by_verify(finished, retrain, object_server):
    bucket = retrain.uri.split("/")[2]
    key = next(key for key in object_server.list_keys(bucket) if key.endswith("gru-seed42/model.keras"))
    content = object_server.ask("GET", f"/{bucket}/{key}")
    object_server.ask("PUT", f"/{bucket}/{key}", bytes([content[0] ^ 1]) + content[1:])
    code, out, err = retrain("verify")
    assert code == 2
    assert err.startswith(f"s3://{bucket}/{key} must have SHA-256 {hashlib.sha256(content).hexdigest()}. Received: ")
    assert err.endswith(f", {len(content)} bytes.\n")
    assert out.endswith(", 1 damaged or missing\n")
    object_server.ask("PUT", f"/{bucket}/{key}", content)
    assert retrain("verify")[0] == 0


@pytest.mark.slow
def test_the_secret_is_in_no_stored_object_and_in_no_output(finished, retrain, object_server):
    retrain("verify")
    bucket = retrain.uri.split("/")[2]
    keys = object_server.list_keys(bucket)
    assert len(keys) > 10
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    for key in keys:
        assert secret.encode() not in object_server.ask("GET", f"/{bucket}/{key}"), key
    assert secret not in "".join(retrain.said)
