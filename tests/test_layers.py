"""Imports point one way, and each library is imported only where it belongs."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.modules import MODULES, OURS, name_of, tree_of
from tests.places import PROJECT_ROOT

MAY_IMPORT = {
    "flows": ("flows", "tasks", "reports", "storage"),
    "tasks": ("tasks", "reports", "storage"),
    "reports": ("reports", "storage.records"),
    "storage": ("storage",),
}
TRAINING = {
    f"tasks/{name}.py"
    for name in ("training_child", "checkpoints", "epoch_program", "batches", "kernel_trainer", "recurrent_network")
}


def list_imports(tree: ast.Module) -> Iterator[str]:
    """Yield every module that is imported, also inside functions; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def is_below(imported: str, module: str) -> bool:
    return imported == module or imported.startswith(f"{module}.")


def test_every_folder_is_looked_at():
    assert {path.relative_to(PROJECT_ROOT).parts[0] for path in MODULES} == set(OURS)
    assert len(MODULES) > 20


def test_imports_are_found_wherever_they_stand():
    source = "import a.b\nfrom c import d, e\ndef f():\n    from g.h import i\nfrom . import j\n"
    assert list(list_imports(ast.parse(source))) == ["a.b", "c.d", "c.e", "..j", "g.h.i"]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_of_our_own_point_one_way(path):
    allowed = MAY_IMPORT[path.relative_to(PROJECT_ROOT).parts[0]]
    ours = [name for name in list_imports(tree_of(path)) if name.startswith((".", *OURS))]
    assert [name for name in ours if not any(is_below(name, folder) for folder in allowed)] == []


def test_only_flows_and_tasks_import_prefect():
    importing = {
        path.relative_to(PROJECT_ROOT).parts[0]
        for path in MODULES
        if any(is_below(name, "prefect") for name in list_imports(tree_of(path)))
    }
    assert importing == {"flows", "tasks"}


def test_only_the_training_child_and_its_own_import_tensorflow_or_keras():
    importing = {
        name_of(path)
        for path in MODULES
        if any(is_below(name, library) for name in list_imports(tree_of(path)) for library in ("tensorflow", "keras"))
    }
    assert importing == TRAINING


def test_no_module_but_the_training_child_s_imports_those_that_import_tensorflow():
    heavy = [name.removesuffix(".py").replace("/", ".") for name in TRAINING]
    importing = {
        name_of(path)
        for path in MODULES
        if any(is_below(name, module) for name in list_imports(tree_of(path)) for module in heavy)
    }
    assert importing <= TRAINING


def test_no_file_in_flows_bears_the_name_of_a_folder_or_of_a_dependency():
    dependencies = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    distributions = {re.match(r"[\w.-]+", dependency)[0].lower() for dependency in dependencies}
    assert {"prefect", "keras", "scikit-learn"} <= distributions
    imported = {
        module
        for module, owners in packages_distributions().items()
        if any(owner.lower() in distributions for owner in owners)
    }
    assert "sklearn" in imported
    folders = {path.name for path in PROJECT_ROOT.iterdir() if path.is_dir()}
    taken = folders | imported | {name.replace("-", "_") for name in distributions}
    files = {path.stem for path in (PROJECT_ROOT / "flows").iterdir() if path.suffix == ".py"}
    assert files & taken == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_outside_the_tests_asserts(path):
    lines = [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]
    assert lines == []


def test_no_test_file_is_imported_and_no_conftest_by_its_name():
    """Whoever imports `tests.conftest` runs it a second time, because pytest has imported it as `conftest`."""
    found = []
    for path in sorted((PROJECT_ROOT / "tests").rglob("*.py")):
        for name in list_imports(tree_of(path)):
            if name.startswith("tests.") and re.search(r"\.test_\w+|\.conftest\b", name):
                found.append((name_of(path), name))
    assert found == []
