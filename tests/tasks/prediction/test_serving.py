"""The server of docs/prediction.md runs as it stands there."""

import re

import pytest
from fastapi.testclient import TestClient

from tasks.prediction import load_champion
from tests.places import PROJECT_ROOT

pytestmark = pytest.mark.slow


def test_the_server_of_the_page_answers_with_the_champion(champion_store, monkeypatch):
    monkeypatch.setenv("RETRAIN_STORE", champion_store.uri)
    page = (PROJECT_ROOT / "docs" / "prediction.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "FastAPI" in block]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    served: dict[str, object] = {"__name__": "serve"}
    exec(compile(code.replace("from __future__", "#"), "serve.py", "exec"), served)
    texts = ["this film is good", "a dull film"]
    answer = TestClient(served["app"]).post("/predict", json={"texts": texts})
    champion = load_champion(champion_store.uri)
    assert answer.status_code == 200
    assert answer.json()["probabilities"] == pytest.approx(
        champion.predict(["this film is good", "a dull film"]).tolist()
    )
    assert (answer.json()["champion"], answer.json()["identity"]) == (champion.number, champion.identity)
