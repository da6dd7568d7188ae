"""What import-linter, which `make check` runs, cannot check of the layout."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from tests.modules import MODULES, name_of, tree_of
from tests.places import PROJECT_ROOT

CONFIGURATION = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"]: contract for contract in CONFIGURATION["tool"]["importlinter"]["contracts"]}


def names_in(folder: str) -> set[str]:
    """Return the modules and folders directly in a folder, as import-linter names them."""
    found = {path for path in (PROJECT_ROOT / folder).iterdir() if path.suffix == ".py" or path.is_dir()}
    return {f"{folder}.{path.stem}" for path in found if not path.name.startswith("__")}


def test_the_contracts_name_every_module():
    all_but_training = names_in("tasks") - {"tasks.training"}
    assert set(CONTRACTS["keras"]["source_modules"]) == {"flows", "reports", "storage"} | all_but_training
    folders = {f"tasks.{path.name}" for path in (PROJECT_ROOT / "tasks").iterdir() if (path / "__init__.py").exists()}
    assert set(CONTRACTS["prefect"]["source_modules"]) == {"reports", "storage"} | folders
    # The others are the records, how they are decoded, and what that needs.
    records = {f"storage.{name}" for name in ("bounds", "containment", "damage", "decoding", "records", "text")}
    assert set(CONTRACTS["reports"]["forbidden_modules"]) == names_in("storage") - records


def test_a_module_s_name_stands_once():
    """One name, one thing; a task and the module that does its work share one, and so do a flow and its parts."""
    counted = Counter(path.stem for path in MODULES if not path.stem.startswith("__"))
    assert [name for name, count in counted.items() if count > 1] == []


def test_tasks_has_few_entries():
    assert len(names_in("tasks")) <= 18


def list_imports(tree: ast.Module) -> Iterator[str]:
    """Yield every module that is imported, also inside functions; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def test_no_file_in_flows_bears_the_name_of_a_folder_or_of_a_dependency():
    dependencies = CONFIGURATION["project"]["dependencies"]
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
    # Prefect puts the folder of a deployment's entrypoint first on `sys.path`.
    names = {name.split(".")[-1] for folder in ("flows", "flows/workers") for name in names_in(folder)}
    assert names & taken == set()


def test_no_test_file_is_imported_and_no_conftest_by_its_name():
    """Whoever imports `tests.conftest` runs it a second time, because pytest has imported it as `conftest`."""
    found = []
    for path in sorted((PROJECT_ROOT / "tests").rglob("*.py")):
        for name in list_imports(tree_of(path)):
            if name.startswith("tests.") and re.search(r"\.test_\w+|\.conftest\b", name):
                found.append((name_of(path), name))
    assert found == []
