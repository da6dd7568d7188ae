"""The child of tests/children.py with a repeatable job."""

from dataclasses import replace

from tests import children

JOB = replace(children.JOB, module="tests.repeated_children", is_repeatable=True)
main = children.main
