"""What holds between the files of `operate/`, as far as it can be seen without Docker and without systemd running."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.modules import tree_of
from tests.places import PROJECT_ROOT

OPERATE = PROJECT_ROOT / "operate"
UNIT = OPERATE / "retraining-worker@.service"
README = (OPERATE / "README.md").read_text()


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((OPERATE / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def deployments():
    return yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.fixture(scope="module")
def automations():
    return yaml.safe_load((PROJECT_ROOT / "automations.yaml").read_text())["automations"]


def settings_of(unit):
    """Return the unit's settings by name, each a list."""
    found = {}
    for line in unit.splitlines():
        if re.match(r"[A-Z]\w*=", line):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def pool_of(command):
    return command[command.index("--pool") + 1]


def test_no_port_is_published_but_on_loopback(services):
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert [name for name, service in services.items() if service.get("network_mode")] == []


def test_all_other_commands_leave_the_server_on_loopback():
    texts = [PROJECT_ROOT / "README.md", OPERATE / "README.md", PROJECT_ROOT / "Makefile", UNIT, OPERATE / "Dockerfile"]
    for path in texts:
        assert "0.0.0.0" not in path.read_text(), path


def test_what_a_service_waits_for_can_happen(services):
    """One that has no health is never healthy, and one that is restarted has never ended."""
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], (name, needed)
            else:
                assert how["condition"] == "service_completed_successfully", (name, needed)
                assert services[needed]["restart"] == "no", (name, needed)


def test_whoever_speaks_to_the_server_or_to_the_database_waits_for_it(services):
    for variable, needed in (("PREFECT_API_URL", "server"), ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "database")):
        speaking = {name: one for name, one in services.items() if variable in one.get("environment", {})}
        assert len(speaking) >= 2, variable
        for name, service in speaking.items():
            assert needed in re.split("[:/@]+", service["environment"][variable]), name
            assert needed in service["depends_on"], name


def test_there_is_a_worker_for_each_pool_of_prefect_yaml_and_make_deploy_creates_it(services, deployments):
    pools = {deployment["work_pool"]["name"] for deployment in deployments}
    assert {pool_of(one["command"]) for one in services.values() if "worker" in one.get("command", ())} == pools
    made = set(re.findall(r"prefect work-pool create (\S+)", (PROJECT_ROOT / "Makefile").read_text()))
    assert made == pools
    assert set(re.findall(r"retraining-worker@(\w+)", UNIT.read_text() + README)) <= pools
    assert set(re.findall(r"worker start --pool (\w+)", README)) <= pools


def test_every_deployment_runs_a_flow_that_is_there(deployments):
    for deployment in deployments:
        path, function = deployment["entrypoint"].split(":")
        functions = [node.name for node in tree_of(PROJECT_ROOT / path).body if isinstance(node, ast.FunctionDef)]
        assert function in functions, deployment["name"]


def test_no_password_stands_in_a_file_and_workers_do_not_get_the_database_s(services):
    password = services["database"]["environment"]["POSTGRES_PASSWORD"]
    assert password.startswith("${POSTGRES_PASSWORD:?")
    knowing = {name for name, service in services.items() if "POSTGRES_PASSWORD" in str(service)}
    assert [name for name in knowing if "PREFECT_API_URL" in str(services[name])] == []
    lines = [line for line in (OPERATE / "example.env").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not line.endswith("=")] == []


def test_every_variable_that_must_be_set_is_in_the_example_and_its_file_is_not_committed(services):
    required = set(re.findall(r"\$\{(\w+):\?", (OPERATE / "compose.yaml").read_text()))
    named = set(re.findall(r"^(\w+)=", (OPERATE / "example.env").read_text(), re.MULTILINE))
    assert required
    assert required <= named
    read = {f"/operate/{one['path']}" for service in services.values() for one in service.get("env_file", ())}
    assert read | {"/operate/.env"} <= set((PROJECT_ROOT / ".gitignore").read_text().split())


def test_every_service_s_volumes_are_declared(services):
    volumes = [volume for service in services.values() for volume in service.get("volumes", [])]
    used = {volume["source"] if isinstance(volume, dict) else volume.split(":")[0] for volume in volumes}
    assert used == set(yaml.safe_load((OPERATE / "compose.yaml").read_text())["volumes"])


def test_pages_alone_are_served_and_cannot_be_written_and_only_this_machine_reaches_them(services):
    reports = services["reports"]
    [volume] = reports["volumes"]
    assert (volume["source"], volume["read_only"], volume["volume"]) == ("store", True, {"subpath": "reports"})
    assert reports["ports"] == ["127.0.0.1:8080:80"]


def test_the_image_gets_every_package_of_ours_and_nothing_that_may_hold_a_secret():
    rules = [
        line for line in (OPERATE / "Dockerfile.dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert rules[0] == "*"
    copied = {line[1:] for line in rules if line.startswith("!")}
    assert [name for name in copied if not (PROJECT_ROOT / name).exists()] == []
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    packages = [name.removesuffix("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]]
    # With what `make deploy` reads, which runs in the image.
    assert {*packages, "pyproject.toml", "Makefile", "prefect.yaml", "automations.yaml"} <= copied
    named = re.findall(r"^COPY (?:--\S+ )*(\S+) ", (OPERATE / "Dockerfile").read_text(), re.MULTILINE)
    assert named
    assert set(named) <= copied | {"."}


def test_every_package_of_the_image_is_checked_by_its_hash():
    commands = re.findall(r"pip install (.*?)\s*\\?$", (OPERATE / "Dockerfile").read_text(), re.MULTILINE)
    locked = [command for command in commands if "--require-hashes" in command]
    assert locked
    # The others install the project itself, and fetch nothing.
    others = [set(command.split()) for command in commands if command not in locked]
    assert [one for one in others if not one >= {"--no-deps", "--no-build-isolation", "--editable", "."}] == []


def test_three_heartbeats_of_every_deployment_fit_in_the_window_of_the_alarm(deployments, automations):
    windows = [one["trigger"]["within"] for one in automations if "prefect.flow-run.heartbeat" in str(one["trigger"])]
    assert windows
    for deployment in deployments:
        heartbeat = int(deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        assert 3 * heartbeat <= min(windows), deployment["name"]


def test_the_alarms_are_about_deployments_and_alarms_that_are_there(deployments, automations):
    names = {deployment["name"] for deployment in deployments}
    alarms = {automation["name"] for automation in automations}
    asked = []
    for automation in automations:
        trigger = automation["trigger"]
        for related in trigger.get("match_related", ()):
            if related["prefect.resource.role"] == "deployment" and "prefect.resource.name" in related:
                found = related["prefect.resource.name"]
                asked += [found] if isinstance(found, str) else found
        by_name = trigger["match"].get("prefect.resource.name", [])
        asked += [name.split("/")[1] for name in by_name if "/" in name]
        assert {name for name in by_name if "/" not in name} <= alarms
    assert asked
    assert set(asked) <= names


def test_the_unit_has_the_folders_that_the_readme_tells_to_make():
    settings = settings_of(UNIT.read_text())
    assert all(f"`{path}`" in README for path in settings["WorkingDirectory"] + settings["EnvironmentFile"])
    [command] = settings["ExecStart"]
    assert command.startswith(f"{settings['WorkingDirectory'][0]}/.venv/bin/prefect worker start --pool %i ")
    [state] = settings["StateDirectory"]
    assert f"`/var/lib/{state}`" in README
    assert f"HOME=/var/lib/{state} " in settings["Environment"][0]


def test_a_worker_has_as_long_to_end_its_runs_under_systemd_as_in_a_container(services):
    [grace] = {one["stop_grace_period"] for one in services.values() if "worker" in one.get("command", ())}
    assert settings_of(UNIT.read_text())["TimeoutStopSec"] == [str(60 * int(grace.removesuffix("m")))]


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
