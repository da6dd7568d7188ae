"""Render a template to one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.page.language import Language


def render(template: str, language: Language, **context: Any) -> str:
    """Return the page of a template, with its style, its script, and a policy that allows no other style or script.

    Args:
        template: File name in `templates/`.
        language: Language of the page.
        **context: Variables of the template; text is escaped.
    """
    environment = _environment()
    style, script = _source("report.css"), _source("report.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(
        language=language,
        gettext=language.gettext,
        ngettext=language.ngettext,
        stylesheet=Markup(style),
        script=Markup(script),
        policy=policy,
        **context,
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    loader = _environment().loader
    return loader.get_source(_environment(), name)[0] if loader else ""


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
