"""flows/parameters.py declares each parameter; all code and texts that name or describe a parameter agree with it."""

from __future__ import annotations

import inspect
import re
import shlex
from dataclasses import asdict, fields, replace
from typing import get_args, get_type_hints

import pytest
import yaml
from prefect.utilities.schema_tools.validation import is_valid

from flows.checks import check_parameters
from flows.cli.parser import build_parser, read_parameters
from flows.declarations import About, Parameter
from flows.nightly import nightly_retraining
from flows.parameters import DEFAULTS, PARAMETERS, NightlyParameters
from reports.page.language import Language
from reports.page.learning_curves import RECIPE
from reports.page.run_details import list_facts, repeat_command
from storage.records import KnownParameters
from tasks.data.split import SplitParameters
from tasks.training.training_request import TrainingParameters
from tests.example_runs import FOUR_VARIANTS
from tests.parameters_page import PAGE, render_page
from tests.places import PROJECT_ROOT

NAMES = [parameter.name for parameter in PARAMETERS]
SCHEMA = nightly_retraining.parameters.model_dump()
# The defaults as a run's record has them.
RECORDED = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(DEFAULTS).items()}


def values_outside(about: About) -> list[object]:
    """Return for each bound a value just outside it."""
    values = [about.least - 1] if about.least is not None else []
    values += [about.most + 1] if about.most is not None else []
    values += [bound for bound in (about.above, about.below) if bound is not None]
    return values + ["neither"] * bool(about.choices)


OUTSIDE = [(parameter, value) for parameter in PARAMETERS for value in values_outside(parameter.about)]


def test_the_flow_s_signature_has_the_declared_parameters_and_nothing_else():
    signature = inspect.signature(nightly_retraining.fn).parameters
    assert list(signature) == NAMES
    assert {name: one.default for name, one in signature.items()} == asdict(DEFAULTS)


def test_the_flow_s_signature_is_written_with_the_declared_types():
    """Read from the source, because the decorator replaces the annotations that mypy sees."""
    source = inspect.getsource(nightly_retraining.fn)
    written = dict(re.findall(r"^    (\w+): (.+) = DEFAULTS\.\1,(?:  #.*)?$", source, re.MULTILINE))
    declared = {name: _in_words(hint) for name, hint in get_type_hints(NightlyParameters).items()}
    assert written == declared


def _in_words(hint) -> str:
    return str(hint) if get_args(hint) else hint.__name__


def test_prefect_s_form_has_the_help_and_the_default_of_each_parameter():
    assert list(SCHEMA["properties"]) == NAMES
    for parameter in PARAMETERS:
        shown = SCHEMA["properties"][parameter.name]
        assert shown["description"].startswith(parameter.about.help)
        assert shown["default"] == RECORDED[parameter.name]
    assert SCHEMA["required"] == []
    assert SCHEMA["properties"]["num_words"] == {
        "default": 500,
        "description": "size of the vocabulary",
        "maximum": 65536,
        "minimum": 5,
        "position": 22,
        "title": "num_words",
        "type": "integer",
    }


def test_the_defaults_pass_the_checks_and_prefect_s_schema(tmp_path):
    assert is_valid(RECORDED, SCHEMA)
    check_parameters(replace(DEFAULTS, store=str(tmp_path)))


@pytest.mark.parametrize(("parameter", "value"), OUTSIDE, ids=lambda one: getattr(one, "name", one))
def test_a_value_outside_its_bounds_is_refused_by_the_checks_and_by_prefect_s_schema(parameter, value):
    given = [value] if parameter.is_list else value
    assert not is_valid({parameter.name: given}, SCHEMA)
    with pytest.raises(ValueError, match=f"^`{parameter.name}` must be {parameter.must_be}. Received: "):
        check_parameters(replace(DEFAULTS, **{parameter.name: given}))


@pytest.mark.parametrize("seeds", [[], [42, 42]])
def test_prefect_s_schema_refuses_no_seeds_and_equal_seeds(seeds):
    assert not is_valid({"seeds": seeds}, SCHEMA)


def test_the_command_line_has_an_option_for_each_parameter_and_the_declared_defaults():
    options = build_parser().parse_args(["run"])
    assert set(vars(options)) == {"command", *NAMES}
    assert read_parameters(options) == replace(DEFAULTS, source="auto")


def test_the_command_in_the_report_has_the_parameters_of_its_run():
    """The command line has other names for some of them."""
    changed = {"language": "ko", "baselines": False, "texts": False, "seeds": [1, 2], "jobs": 3, "learning_rate": 0.5}
    run = replace(FOUR_VARIANTS, parameters={**RECORDED, **changed})
    program, *arguments = shlex.split(repeat_command(run))
    options = build_parser().parse_args(arguments)
    assert (program, options.command) == ("retrain", "run")
    given = asdict(read_parameters(options))
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()} == run.parameters


def test_the_report_s_table_has_a_row_for_each_parameter_of_the_run():
    _, table, *_ = list_facts(replace(FOUR_VARIANTS, parameters=RECORDED), Language("en"))
    assert [name for name, _ in table.rows] == sorted(NAMES)


@pytest.mark.parametrize("record", [SplitParameters, TrainingParameters])
def test_the_parameters_of_a_step_are_declared_with_the_same_name_and_type(record):
    declared = get_type_hints(NightlyParameters)
    assert get_type_hints(record) == {name: declared.get(name) for name in record.__dataclass_fields__}


def test_the_book_s_recipe_is_the_default():
    assert {name: getattr(DEFAULTS, name) for name in RECIPE} == RECIPE


def test_the_parameters_that_are_read_from_past_runs_are_declared():
    """Under another name they would not be found."""
    assert {field.name for field in fields(KnownParameters)} < set(NAMES)


def test_the_deployments_have_only_declared_parameters():
    deployments = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]
    given = [one["parameters"] for one in deployments if one["entrypoint"] == "flows/nightly.py:nightly_retraining"]
    assert given
    for parameters in given:
        assert set(parameters) <= set(NAMES)
        assert is_valid(parameters, SCHEMA)


def test_the_page_of_parameters_is_up_to_date():
    assert PAGE.read_text() == render_page(), "run `make docs`"


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (About("x", "x", least=1), "a number of at least 1"),
        (About("x", "x", above=0), "a positive number"),
        (About("x", "x", above=2), "a number above 2"),
        (About("x", "x"), ""),
    ],
)
def test_bounds_are_written_in_words(about, words):
    assert Parameter("x", float, False, 1.0, about).must_be == words
