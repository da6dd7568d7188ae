"""Secrets of the environment turn up in nothing that a night says or leaves, whether it ends well or fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.servers import make_environment, prefect_server
from tests.stubs import STUB

pytestmark = pytest.mark.slow

CANARY = "canary7c1f93b2"
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}/aws",
    "AWS_SESSION_TOKEN": f"{CANARY}/session",
    "PREFECT_API_KEY": f"pnu_{CANARY}",
    "PREFECT_API_AUTH_STRING": f"admin:{CANARY}",
    "GOOGLE_APPLICATION_CREDENTIALS_JSON": CANARY,
}
NIGHT = "--source sample --sample-reviews 400 --epochs 1 --maxlen 40 --variants gru --no-baselines --jobs 1"


def leaves_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def nights(tmp_path_factory, migrated_home):
    """Two nights with secrets in their environment; what each said, and all that they left.

    The first has a temporary Prefect server. The second has a server that stays, and fails. The leaves stand there
    twice: after the first night, and after both.
    """
    folder = tmp_path_factory.mktemp("night")
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir()
    migrated_home(folder / "prefect")
    places = {"HOME": "home", "PREFECT_HOME": "prefect", "TMPDIR": "tmp", "RETRAIN_STORE": "store"}
    environment = os.environ | STUB | SECRETS | {name: str(folder / place) for name, place in places.items()}
    environment["PREFECT_LOGGING_LEVEL"] = "DEBUG"
    said, leaves = [], []

    def run(code: int, *options: str, **more: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "flows", "run", *NIGHT.split(), *options],
            env=environment | more,
            cwd=folder / "work",
            capture_output=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode()[-3000:]
        said.append(done.stdout + done.stderr)
        leaves.append(leaves_of(folder))

    run(0)
    server = make_environment(folder)
    with (folder / "server.txt").open("w") as log, prefect_server(server, log):
        # A training that is given no time fails, and the report says so.
        run(1, "--timeout-seconds", "0.01", PREFECT_API_URL=server["PREFECT_API_URL"])
    return said, leaves


def test_no_secret_is_said(nights):
    for said in nights[0]:
        assert b"report: " in said
        assert CANARY.encode() not in said


def test_no_secret_is_in_the_store_nor_in_prefect_s_database_nor_beside_them(nights):
    leaves = nights[1][1]
    assert [name for name, content in leaves.items() if CANARY.encode() in content] == []
    # They were looked at: what has to be there is there.
    assert sum(name.startswith("store/reports/2") for name in leaves) == 2
    database = b"".join(content for name, content in leaves.items() if name.startswith("prefect/prefect.db"))
    assert b"train gru, seed 42" in database


def test_no_result_was_kept_as_a_pickle(nights):
    """Of a failed task Prefect keeps the error, whatever it is told."""
    leaves = nights[1][0]
    assert [name for name in leaves if name.startswith("prefect/storage")] == []


def test_nothing_is_left_in_the_folder_for_temporary_files(nights):
    assert [name for name in nights[1][1] if name.startswith(("tmp/", "work/"))] == []
