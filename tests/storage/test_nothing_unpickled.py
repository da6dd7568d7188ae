"""Only one unpickler is used, after a check, and it allows arrays of lists alone; no stored file is run as code."""

from __future__ import annotations

import ast
import pickle

import pytest

from storage import pickles
from tests.archives import as_column
from tests.modules import MODULES, tree_of

# Opcodes of integers, lists, tuples, strings, and the names in a pickled array.
ALLOWED = b"KMJ(eahj])\x85\x86\x87tN\x88\x89R\x93\x8cXCBUT\x8a.\x94bc\x80\x95Gqr"


@pytest.fixture
def unpickled(monkeypatch):
    """Collects what is given to the unpickler."""
    given = []

    class NotingUnpickler(pickles.ArrayUnpickler):
        def __init__(self, file):
            given.append(file.getvalue())
            super().__init__(file)

    monkeypatch.setattr(pickles, "ArrayUnpickler", NotingUnpickler)
    return given


def test_every_opcode_that_an_array_of_lists_has_no_need_of_is_refused_unread(unpickled):
    """Opcodes of later versions of Python are refused too."""
    for opcode in set(range(256)) - set(ALLOWED):
        with pytest.raises(pickle.UnpicklingError, match=f"^only arrays .* it holds the opcode {opcode:#04x}$"):
            pickles.read_array(b"\x80\x04" + bytes([opcode]) + b".", (2,))
    assert unpickled == []


@pytest.mark.parametrize(
    "payload",
    [
        # Without the check of opcodes, the unpickler would execute each of these, because none of them asks for a name.
        b"]r\xff\xff\xff\x0f.",
        b"B\xff\xff\xff\xff.",
        b"(" + b"]" * 100 + b"t.",
        b"]" + b"\x94" * 100 + b".",
        b"K\x01" + b"\x85" * 100 + b".",
        b"](K\x01e",
        b"",
    ],
)
def test_a_pickle_that_asks_for_much_or_breaks_off_is_refused_unread(unpickled, payload):
    with pytest.raises(pickle.UnpicklingError):
        pickles.read_array(b"\x80\x04" + payload, (2,))
    assert unpickled == []


def test_the_unpickler_gets_the_very_bytes_that_were_checked(unpickled, monkeypatch):
    checked, check = [], pickles.check_opcodes

    def note(content, most):
        assert unpickled == []
        checked.append(content)
        check(content, most)

    monkeypatch.setattr(pickles, "check_opcodes", note)
    assert pickles.read_array(pickle.dumps(as_column([[1, 2], [3]])), (2,)).tolist() == [[1, 2], [3]]
    assert checked == unpickled
    assert len(checked) == 1


def test_no_result_of_a_flow_or_task_is_kept_as_a_pickle():
    """Prefect pickles the results that it keeps, and unpickles them if a run is tried again."""
    decorated = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            for decorator in getattr(node, "decorator_list", []):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("flow", "task"):
                    options = {one.arg: ast.unparse(one.value) for one in decorator.keywords}
                    decorated.append((node.name, options.get("persist_result"), options.get("result_storage")))
                elif ast.unparse(decorator) in ("flow", "task"):
                    decorated.append((node.name, None, None))
    assert len(decorated) >= 9
    assert [one for one in decorated if one[1:] != ("False", None)] == []
