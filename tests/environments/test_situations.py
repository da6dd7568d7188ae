"""Run the command in each situation of the table: `make test-environments`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.cli.temporary_server import TemporaryServer
from tests.environments.servers import find_closed_port, listen_silently, serve
from tests.environments.situations import SITUATIONS, Situation
from tests.places import PROJECT_ROOT
from tests.stubs import STUB

pytestmark = pytest.mark.slow

RETRAIN = str(Path(sys.executable).with_name("retrain"))
JOB = "--source sample --sample-reviews 400 --epochs 1 --variants lstm --no-baselines"
IS_ROOT = os.geteuid() == 0
# Alone, each is refused within 15 s; here three run at once. An object store is given up after its own time limits.
REFUSED_SECONDS, OBJECT_STORE_SECONDS, RUN_SECONDS = 30, 60, 120


# Kinds of situations in which the run starts a server of its own.
WITH_OWN_SERVER = ("proxies", "prefect", "users", "modules")


def can_mount() -> bool:
    return IS_ROOT and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0


def can_be_run_by_others() -> bool:
    """Whether other users can reach the interpreter, which may be in the home of root."""
    folders = Path(sys.executable).resolve().parents
    return all(folder.stat().st_mode & 0o001 for folder in folders)


@pytest.fixture(scope="session")
def servers():
    silent, listener = listen_silently()
    asked_of_proxy: list[str] = []
    yield {
        "CLOSED": find_closed_port(),
        "SILENT": silent,
        "WEB": serve({}, (404, "not found")),
        "LOGIN": serve({}, (200, "<html>Please log in</html>")),
        "LOCKED": serve({}, (401, '{"exception_message": "Unauthorized"}')),
        "OLD": serve({"/api/health": (200, "true"), "/api/admin/version": (200, '"2.20.3"')}, (404, "")),
        "PROXY": serve({}, (502, "no"), asked_of_proxy),
    }
    listener.close()
    assert not [address for address in asked_of_proxy if "127.0.0.1" in address], "loopback was asked by the proxy"


@pytest.fixture(scope="session")
def prefect_address():
    """A Prefect server for the situations that are not about servers: starting one takes a third of a run."""
    server = TemporaryServer()
    server.wait()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def prepared_store(tmp_path_factory):
    """A store that has the datasets of the small run, and no run; made once for all processes of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, made = shared / "prepared", shared / "being-prepared"
    with (shared / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            command = [RETRAIN, "run", *JOB.split(), "--store", str(made)]
            subprocess.run(command, env=os.environ | STUB, check=True, capture_output=True, timeout=RUN_SECONDS)
            for name in ("runs", "reports"):
                shutil.rmtree(made / name)
            made.rename(folder)
    return folder


@pytest.fixture(scope="session")
def plain_weights(prepared_store):
    """The hash of the weights that a real training gets where nothing is unusual; made once for all processes."""
    shared = prepared_store.parent
    found, folder = shared / "weights.txt", shared / "plain"
    with (shared / "weights.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            command = [RETRAIN, "run", *JOB.split(), "--store", str(folder)]
            subprocess.run(command, env=dict(os.environ), check=True, capture_output=True, timeout=RUN_SECONDS)
            found.write_text(read_weights(folder))
    return found.read_text()


def read_weights(store: Path) -> str:
    [record] = store.glob("runs/*/*/training.json")
    weights: str = json.loads(record.read_text())["content"]["weights_sha256"]
    return weights


def describe(situation: Situation) -> str:
    return f"{situation.kind}: {situation.name}"


@pytest.mark.parametrize("situation", SITUATIONS, ids=describe)
def test_the_situation_ends_as_it_must(situation, servers, prefect_address, prepared_store, tmp_path, request):
    if situation.needs_root and not IS_ROOT:
        pytest.skip("needs root, for another user or a mount")
    if situation.needs_other_user and not can_be_run_by_others():
        pytest.skip(f"other users cannot start {os.path.realpath(sys.executable)}")
    if situation.needs_mount and not can_mount():
        pytest.skip("needs to mount file systems")
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent.stat().st_uid == os.getuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    here, store = tmp_path / "here", tmp_path / "store"
    (tmp_path / "home").mkdir()
    here.mkdir()
    shutil.copytree(prepared_store, store)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "HERE": str(here),
        "STORE": str(store),
        "RETRAIN": RETRAIN,
        "PYTHON": sys.executable,
        "HASH": "0" * 64,
        "JOB": JOB,
        "RUN": f"{RETRAIN} run {JOB} --store {store}",
        # Not a stub: what is tested is the training.
        "REAL": f"env -u STUB_TRAINING {RETRAIN} run {JOB} --store {store}",
        **STUB,
        **servers,
        **({} if situation.kind in WITH_OWN_SERVER else {"PREFECT_API_URL": prefect_address}),
    }
    script = f"set -u; {situation.script}"
    command = [*(["unshare", "-m"] if situation.needs_mount else []), "bash", "-c", script]
    began = time.monotonic()
    done = subprocess.run(
        command,
        check=False,
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=RUN_SECONDS,
    )
    seconds, said = time.monotonic() - began, f"{done.stdout}\n{done.stderr}"
    runs = list(store.glob("runs/*/run.json"))
    assert "Traceback" not in said, said
    if situation.refusal and situation.kind != "streams":
        lines = [line for line in done.stderr.splitlines() if not line.startswith("starting on ")]
        lines = [line for line in lines if "retrain run: " in line]
        assert done.returncode == 2, said
        assert len(lines) == 1, said
        assert situation.refusal in lines[0], said
        assert runs == [], said
        assert seconds < (OBJECT_STORE_SECONDS if "object store" in situation.name else REFUSED_SECONDS), said
        return
    assert done.returncode == (situation.code or 0), said
    assert situation.refusal in said
    assert situation.says in said
    assert len(runs) == 1, said
    assert "\x1b[" not in done.stdout or "colours" in situation.name, said
    assert (PROJECT_ROOT / "flows").is_dir()
    if "$REAL" in situation.script:
        # Nothing outside changes what a run computes.
        assert read_weights(store) == request.getfixturevalue("plain_weights")
