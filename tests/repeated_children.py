"""The same child, for a job of which it does one after another."""

from dataclasses import replace

from tests import children

JOB = replace(children.JOB, module="tests.repeated_children", is_repeatable=True)
main = children.main
