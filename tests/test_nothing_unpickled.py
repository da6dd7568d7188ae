"""Nothing is unpickled or run as code but what was checked: one unpickler, which allows arrays of lists alone."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator

import pytest

from storage import pickles
from tests.archives import as_column
from tests.modules import MODULES, name_of, tree_of

# Wherever they are imported from, and by whatever name.
LOADERS = {"load", "loads", "load_model", "load_module", "read_pickle", "unsafe_load", "full_load"}
# Their `load` and `loads` read text, or arrays.
HARMLESS = {"json", "tomllib"}
UNPICKLING_MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle"}
CODE_RUNNERS = {"eval", "exec", "compile", "__import__"}


def find_loads(tree: ast.Module) -> Iterator[str]:
    """Yield what could unpickle or run code: calls by their names, imports of whole modules, and options."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in UNPICKLING_MODULES)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in HARMLESS:
                yield from (f"from {node.module} import {alias.name}" for alias in node.names if alias.name in LOADERS)
        elif isinstance(node, ast.Call):
            yield from _judge_call(node)
        elif isinstance(node, ast.Attribute) and node.attr in {"Unpickler", "PyUnpickler"}:
            yield node.attr


def _judge_call(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Name) and node.func.id in CODE_RUNNERS:
        yield node.func.id
    if isinstance(node.func, ast.Attribute) and node.func.attr in LOADERS:
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else "?"
        if owner not in HARMLESS:
            yield f"{owner}.{node.func.attr}"
    for keyword in node.keywords:
        is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        # Whoever writes pickles names it too: the sample archive, in the IMDB archive's own format.
        if (keyword.arg == "allow_pickle" and not is_false) or (keyword.arg == "safe_mode" and is_false):
            yield f"{ast.unparse(node.func)}({keyword.arg}={ast.unparse(keyword.value)})"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["import pickle"]),
        ("from pickle import loads as read", ["import pickle", "from pickle import loads"]),
        ("x = pickle.loads(b)", ["pickle.loads"]),
        ("np.load(f, allow_pickle=True)", ["np.load", "np.load(allow_pickle=True)"]),
        ("np.load(f, allow_pickle=flag)", ["np.load", "np.load(allow_pickle=flag)"]),
        ("joblib.load(f)", ["joblib.load"]),
        ("from joblib import load", ["from joblib import load"]),
        ("torch.load(f)", ["torch.load"]),
        ("keras.models.load_model(f, safe_mode=False)", ["?.load_model", "keras.models.load_model(safe_mode=False)"]),
        ("yaml.load(f)", ["yaml.load"]),
        ("pandas.read_pickle(f)", ["pandas.read_pickle"]),
        ("def f():\n    return eval('1')", ["eval"]),
        ("class A(pickle.Unpickler): pass", ["Unpickler"]),
        ("json.loads(b)", []),
        ("import yaml\nyaml.safe_load(f)", []),
        ("np.savez(f, allow_pickle=False)", []),
    ],
)
def test_every_way_to_unpickle_is_seen(source, found):
    assert list(find_loads(ast.parse(source))) == found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_but_the_checked_unpickler_unpickles(path):
    expected = {
        # The checked unpickler.
        "storage/pickles.py": ["?.load", "Unpickler", "import pickle"],
        # Of a number from memory, by the code that LLVM makes.
        "tasks/llvm_tiles.py": ["builder.load"] * 4,
        "tasks/sample_child.py": ["np.savez(allow_pickle=True)"],
        "storage/archive.py": ["_read_member(allow_pickle=True)", "_read_npy(allow_pickle=allow_pickle)"],
    }
    found = [one for one in find_loads(tree_of(path)) if one != "_read_member(allow_pickle=False)"]
    assert sorted(found) == sorted(expected.get(name_of(path), []))


# Of integers, lists, tuples, strings, and the names that an array is put together from.
ALLOWED = b"KMJ(eahj])\x85\x86\x87tN\x88\x89R\x93\x8cXCBUT\x8a.\x94bc\x80\x95Gqr"


@pytest.fixture
def unpickled(monkeypatch):
    """What was given to the unpickler."""
    given = []

    class NotingUnpickler(pickles.ArrayUnpickler):
        def __init__(self, file):
            given.append(file.getvalue())
            super().__init__(file)

    monkeypatch.setattr(pickles, "ArrayUnpickler", NotingUnpickler)
    return given


def test_every_opcode_that_an_array_of_lists_has_no_need_of_is_refused_unread(unpickled):
    """Those of later versions of Python among them."""
    for opcode in set(range(256)) - set(ALLOWED):
        with pytest.raises(pickle.UnpicklingError, match=f"^only arrays .* it holds the opcode {opcode:#04x}$"):
            pickles.read_array(b"\x80\x04" + bytes([opcode]) + b".", (2,))
    assert unpickled == []


@pytest.mark.parametrize(
    "payload",
    [
        # Each would be obeyed without a look at the names that it asks for.
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
    """Prefect pickles the results that it keeps, and unpickles them when a run is tried again."""
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
