"""Fixtures that several test files use: a store, servers, archives and prepared reviews."""

# ruff: noqa: E402 - the environment must be set before Prefect is imported
import os
import tempfile

# Set before Prefect is imported, because it reads its settings once.
_prefect_home = tempfile.TemporaryDirectory(prefix="prefect-home-")
os.environ["PREFECT_HOME"] = _prefect_home.name
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
for _name in (
    "PREFECT_API_URL",
    "RETRAIN_STORE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "http_proxy",
    "https_proxy",
    "all_proxy",
):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

import fcntl
import gc
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from storage.records import StoredFile
from storage.store import Store
from tasks.processes.children import Children
from tests.archives import make_sample
from tests.object_server import CREDENTIALS, ObjectServer
from tests.places import REAL_ARCHIVE
from tests.stubs import STUB

# Files whose tests run in the same process, because they share something that is slow to start: a server with
# deployments and workers, a server for flows and tasks of this process, or Keras. The longest files begin first, so
# that none of them runs alone at the end.
TOGETHER = {
    "test_workers": "a site",
    "test_deployment": "a site",
    "test_trainers": "Keras",
    "test_training": "Keras",
    "test_checkpoints": "Keras",
    "test_network": "Keras",
    "test_keras_data": "Keras",
    "test_nightly": "tasks",
    "test_own_reviews": "tasks",
    "test_hand_out": "tasks",
    "test_download": "tasks",
    "test_split": "tasks",
    "test_pad": "tasks",
}
LONGEST_FIRST = ("test_workers", "test_faults", "test_trainers", "test_alarms", "test_production_server", *TOGETHER)
pytest.register_assert_rewrite("tests.page_rules", "tests.pages")

# Programs that `make test-quick` must not start, each by a word of its command.
SLOW_PROGRAMS = ("tasks.training.training", "prefect", "flows", "chromium", "initdb", "pg_ctl")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "slow: starts a Prefect server, a browser, a database or a training child, or takes more than two seconds; "
        "`make test-quick` leaves it out. Tests in tests/e2e and users of `prefect_server` are slow without the marker",
    )
    sys.addaudithook(refuse_slow_programs)
    # A shell starts background commands with interrupts ignored. Python and its child processes inherit that, but
    # Prefect ends its workers with interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(LeaveOutFiles())


def is_end_to_end(item: pytest.Item) -> bool:
    return "e2e" in item.path.parts


def pytest_itemcollected(item: pytest.Item) -> None:
    if is_end_to_end(item) or "prefect_server" in getattr(item, "fixturenames", ()):
        item.add_marker("slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, then the other slow tests, then the quick ones.

    The quick tests use the CPUs while the slow ones wait, and no slow test runs alone at the end.
    """

    def quickness(item: pytest.Item) -> int:
        if item.path.stem in LONGEST_FIRST:
            return LONGEST_FIRST.index(item.path.stem)
        return len(LONGEST_FIRST) + (not is_end_to_end(item)) + (item.get_closest_marker("slow") is None)

    items.sort(key=quickness)


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Run all tests of a file, or of a group in `TOGETHER`, in the same process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        # Each situation is a process of its own.
        return nodeid if "environments" in file else TOGETHER.get(Path(file).stem, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    return FilesTogether(config, log)


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, because statsmodels calls a full one at every correction."""
    gc.collect()
    gc.freeze()


_is_quick = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Note whether the next test is a quick one."""
    global _is_quick
    _is_quick = item.get_closest_marker("slow") is None
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Allow slow programs after a test, because fixtures of the session may end them there."""
    global _is_quick
    _is_quick = False
    return (yield)


def refuse_slow_programs(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a quick test if it starts one of `SLOW_PROGRAMS` or imports TensorFlow."""
    if _is_quick and event == "import" and arguments[0] == "tensorflow":
        raise RuntimeError("a test without the marker `slow` must not import TensorFlow")
    if _is_quick and event == "subprocess.Popen":
        words = [str(word) for word in ([arguments[1]] if isinstance(arguments[1], (str, Path)) else arguments[1])]
        started = {Path(word).name for word in words} & set(SLOW_PROGRAMS)
        if started:
            raise RuntimeError(f"a test without the marker `slow` must not start {', '.join(started)}: {words}")


class LeaveOutFiles:
    """Leaves out files at collection. A plugin, because the hooks of a conftest see only the files in its folder."""

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out modules without doctests, because pytest imports every module, and TensorFlow takes 10 s."""
        if collection_path.name == "e2e" and config.option.markexpr == "not slow":
            return True
        is_module = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
        return True if is_module and ">>>" not in collection_path.read_text() else None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="module")
def stub_trainings() -> Iterator[None]:
    """Replace trainings by stubs in all runs of a module, except those with the seed `REAL_SEED`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STUB.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """An S3 server on loopback, for the whole session."""
    server = ObjectServer()
    yield server
    server.stop()


@pytest.fixture
def object_store(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in a new bucket; the server has no faults until a test asks for them."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": object_server.url}).items():
        monkeypatch.setenv(name, value)
    yield Store(f"s3://{object_server.make_bucket()}/retraining")
    object_server.behave()


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Return a function that puts a database with Prefect's tables into a folder for PREFECT_HOME.

    The first start of a server takes 5 s to make the tables, so they are made once for all processes of the tests. The
    PREFECT_HOME of this process has the database already.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    database = shared / "prefect" / "prefect.db"
    with (shared / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            command = [Path(sys.executable).with_name("prefect"), "server", "database", "upgrade", "-y"]
            environment = os.environ | {"PREFECT_HOME": str(shared / "new")}
            subprocess.run(command, env=environment, check=True, capture_output=True)
            (shared / "new").rename(database.parent)

    def migrate(home: Path) -> None:
        home.mkdir(exist_ok=True)
        # An existing database is kept: a server has written to it, and has its journal beside it.
        if not (home / database.name).exists():
            shutil.copy(database, home / database.name)

    migrate(Path(os.environ["PREFECT_HOME"]))
    return migrate


@pytest.fixture(scope="session")
def prefect_server(migrated_home: Callable[[Path], None]) -> Iterator[None]:
    """The command's temporary server, for flows in this process."""
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.cli.temporary_server import TemporaryServer

    server = TemporaryServer()
    try:
        server.wait()
        # Prefect's own threads read the global settings, and start another server if these name none.
        with (
            temporary_settings({PREFECT_API_URL: server.url}),
            _temporary_global_settings_context(get_settings_context()),
        ):
            yield
            for worker in (APILogWorker, EventsWorker):
                worker.drain_all()
    finally:
        server.stop()


@pytest.fixture
def children() -> Iterator[Children]:
    """Child processes that end with the test."""
    made = Children()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def run_task(prefect_server: None) -> Callable[..., Any]:
    """Return a function that runs a task with arguments in a flow of its own, and returns its final state."""
    from prefect import flow

    def run(task: Any, *arguments: Any) -> Any:
        states = []

        @flow(name="one task")
        def submit() -> str:
            states.append(task.submit(*arguments, return_state=True))
            return "done"

        submit()
        return states[0]

    return run


@pytest.fixture(scope="session")
def sample_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.npz"
    path.write_bytes(make_sample(200)[0])
    return path


@pytest.fixture(scope="session")
def imdb_archive() -> Path:
    if not REAL_ARCHIVE.is_file():
        pytest.skip("the real IMDB archive is not beside the checkout")
    return REAL_ARCHIVE


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, StoredFile]]:
    """A store with 400 padded sample reviews (160 train, 40 validation, 200 test), and the files by part."""
    from tests.trainings import prepare_reviews

    return prepare_reviews(str(tmp_path_factory.mktemp("store")))
