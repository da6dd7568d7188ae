"""What `operate/` promises, as far as it can be seen without Docker and without systemd running."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT_ROOT = Path(__file__).resolve().parent.parent
OPERATE = PROJECT_ROOT / "operate"
UNIT = OPERATE / "retraining-worker@.service"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((OPERATE / "compose.yaml").read_text())


def settings_of(unit):
    """Return the unit's settings by name, each a list."""
    found = {}
    for line in unit.splitlines():
        if re.match(r"[A-Z]\w*=", line):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def test_the_compose_file_publishes_the_server_on_loopback_and_nothing_else(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"server": ["127.0.0.1:4200:4200"]}
    assert not any(service.get("network_mode") for service in compose["services"].values())


def test_all_other_commands_leave_the_server_on_loopback():
    texts = [PROJECT_ROOT / "README.md", OPERATE / "README.md", PROJECT_ROOT / "Makefile", UNIT, OPERATE / "Dockerfile"]
    for path in texts:
        assert "0.0.0.0" not in path.read_text(), path


def test_the_compose_file_starts_everything_after_what_it_needs(compose):
    services = compose["services"]
    assert set(services) == {"database", "upgrade", "server", "retraining-worker", "training-worker", "deploy"}
    assert services["upgrade"]["command"] == ["prefect", "server", "database", "upgrade", "--yes"]
    assert services["upgrade"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["server"]["depends_on"]["upgrade"] == {"condition": "service_completed_successfully"}
    for name in ("retraining-worker", "training-worker", "deploy"):
        assert services[name]["depends_on"] == {"server": {"condition": "service_healthy"}}
    for name in ("database", "server"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_there_is_a_worker_for_each_pool_of_prefect_yaml(compose):
    pools = {
        deployment["work_pool"]["name"]
        for deployment in yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]
    }
    commands = [compose["services"][name]["command"] for name in ("retraining-worker", "training-worker")]
    assert {command[command.index("--pool") + 1] for command in commands} == pools == {"retraining", "training"}


def test_no_password_stands_in_the_compose_file_and_workers_do_not_get_the_databases(compose):
    database = compose["services"]["database"]["environment"]["POSTGRES_PASSWORD"]
    assert database == "${POSTGRES_PASSWORD:?must be set in operate/.env}"
    for name in ("retraining-worker", "training-worker", "deploy"):
        assert "POSTGRES_PASSWORD" not in str(compose["services"][name])
    lines = (OPERATE / "example.env").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "POSTGRES_PASSWORD=",
        "RETRAIN_ALARM_WEBHOOK=",
    ]
    assert {"/operate/.env", "/operate/worker.env"} <= set((PROJECT_ROOT / ".gitignore").read_text().split())


def test_every_service_s_volumes_are_declared(compose):
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}
    assert used == set(compose["volumes"])


def test_the_image_is_built_from_the_lock_file_and_from_nothing_that_may_hold_a_secret():
    assert "--require-hashes --requirement requirements.lock" in (OPERATE / "Dockerfile").read_text()
    lines = (OPERATE / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    copied = [line[1:] for line in lines if line.startswith("!")]
    assert {"flows", "tasks", "reports", "storage", "prefect.yaml", "automations.yaml", "Makefile"} <= set(copied)
    assert all((PROJECT_ROOT / name).exists() for name in copied)


def test_every_deployment_sends_the_heartbeats_that_the_alarms_wait_for():
    for deployment in yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]:
        variables = deployment["work_pool"]["job_variables"]
        assert variables == {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}}, deployment["name"]


def test_the_unit_restarts_the_worker_and_leaves_no_child_behind():
    settings = settings_of(UNIT.read_text())
    assert settings["Restart"] == ["always"]
    assert settings["KillMode"] == ["mixed"]
    assert settings["EnvironmentFile"] == ["/etc/nightly-retraining/worker.env"]
    assert settings["NoNewPrivileges"] == ["yes"]
    assert settings["ProtectSystem"] == ["strict"]


def test_systemd_accepts_the_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine: install Debian's package systemd")
    # The same unit, with a command that is there.
    prefect = Path(sys.executable).with_name("prefect")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/nightly-retraining/.venv/bin/prefect", str(prefect)))
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=never-heard-of"))
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert "never-heard-of" in answer.stderr
