"""The address at which people open a page."""

from __future__ import annotations

import pytest

from storage.store import Store
from tasks.evaluation.page_address import address_page, read_reports_url

RUN = "20261124T020000Z-c48114"


@pytest.mark.parametrize(
    "given", ["https://reports.example.org", "https://reports.example.org/", " https://reports.example.org/\n"]
)
def test_a_page_has_its_address_on_the_web_server(monkeypatch, given):
    monkeypatch.setenv("RETRAIN_REPORTS_URL", given)
    assert address_page(Store("/srv/store"), RUN) == f"https://reports.example.org/{RUN}.html"


@pytest.mark.parametrize("given", [None, "", " "])
def test_without_a_web_server_a_page_has_its_path(monkeypatch, given):
    monkeypatch.delenv("RETRAIN_REPORTS_URL", raising=False)
    if given is not None:
        monkeypatch.setenv("RETRAIN_REPORTS_URL", given)
    assert address_page(Store("/srv/store"), RUN) == f"/srv/store/reports/{RUN}.html"


@pytest.mark.parametrize(
    "given", ["reports.example.org", "ftp://reports.example.org", '"https://x.org/"', "https://x.org/?a=b"]
)
def test_what_is_no_address_is_refused(monkeypatch, given):
    monkeypatch.setenv("RETRAIN_REPORTS_URL", given)
    with pytest.raises(ValueError, match=r"^RETRAIN_REPORTS_URL must be an http:// or https:// address"):
        read_reports_url()


@pytest.mark.parametrize(
    "given", ["https://user:word@x.org/", "https://token-word@x.org/", "https://x.org/?token=word"]
)
def test_a_secret_is_refused_and_not_repeated(monkeypatch, given):
    monkeypatch.setenv("RETRAIN_REPORTS_URL", given)
    with pytest.raises(ValueError, match="must not hold a secret") as caught:
        read_reports_url()
    assert "word" not in str(caught.value)
