"""The gate's policy is one text; what is not allowed in it is refused in one line."""

import pytest

from reports.sections.gate_policy import DEFAULT_POLICY, GatePolicy, parse_policy, write_policy


def test_what_a_text_leaves_out_has_its_default():
    assert parse_policy("") == DEFAULT_POLICY == GatePolicy()
    assert (DEFAULT_POLICY.mode, DEFAULT_POLICY.policy, DEFAULT_POLICY.margin) == ("report_only", "better", 0.005)
    policy = parse_policy(" mode = automatic , policy=refresh, looks_per_year=52, single_writer=true ")
    assert (policy.mode, policy.policy, policy.looks_per_year, policy.single_writer) == (
        "automatic",
        "refresh",
        52,
        True,
    )
    assert policy.calibration == 0.01


@pytest.mark.parametrize("text", ["mode=propose", "mode=automatic,policy=refresh,looks_per_year=52,margin=0.003"])
def test_a_policy_is_written_as_it_is_read(text):
    assert write_policy(parse_policy(text)) == text


@pytest.mark.parametrize(
    ("text", "must"),
    [
        ("mode=always", "mode= one of off, report_only, propose, automatic"),
        ("policy=newest", "policy= one of better, refresh"),
        ("colour=red", "fields of mode, policy, yearly_false_promotions"),
        ("propose", "fields of mode, policy, yearly_false_promotions"),
        ("mode=propose,mode=off", "different fields"),
        ("yearly_false_promotions=0", "a number from 0.0 to 1.0, and not 0"),
        ("yearly_false_promotions=1.5", "a number from 0.0 to 1.0, and not 0"),
        ("looks_per_year=0", "an integer from 1 to 100000"),
        ("looks_per_year=1.5", "an integer from 1 to 100000"),
        ("margin=1.01", "a number from 0.0 to 1.0"),
        ("margin=nan", "a number from 0.0 to 1.0"),
        ("margin=-0.1", "a number from 0.0 to 1.0"),
        ("margin=", "a number from 0.0 to 1.0"),
        ("flips=0", "and not 0"),
        ("single_writer=yes", "single_writer=true or single_writer=false"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_line(text, must):
    with pytest.raises(ValueError, match=r"^`gate` must have ") as caught:
        parse_policy(text)
    assert must in str(caught.value)
    assert "\n" not in str(caught.value)
