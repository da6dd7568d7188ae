"""Run the nightly flow as an existing flow run of the server, as Prefect does if it retries one after a crash."""

from __future__ import annotations

import sys
from typing import Any

from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Pending

from flows.nightly import nightly_retraining


def create_flow_run(**parameters: Any) -> str:
    """Create a flow run with these parameters on the server that the environment names; return its id."""
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(nightly_retraining, parameters=parameters, state=Pending())
    return str(flow_run.id)


def main(identifier: str) -> int:
    """Run a flow run again, whatever its state is; return 0 if it ends Completed, else 1."""
    with get_client(sync_client=True) as client:
        # If its process was killed, the server still has it as running.
        client.set_flow_run_state(identifier, Pending(), force=True)
        flow_run = client.read_flow_run(identifier)
    state = run_flow(nightly_retraining, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
    print(state, file=sys.stderr)
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--create"]:
        import json

        print(create_flow_run(**json.loads(sys.argv[2])))
        sys.exit()
    sys.exit(main(sys.argv[1]))
