"""The documents agree with the project: paths, links, commands, names and defaults that they give."""

from __future__ import annotations

import posixpath
import re
import shlex
import unicodedata
from fnmatch import fnmatch

import pytest
import yaml

from flows.cli.parser import build_parser
from flows.parameters import DEFAULTS, PARAMETERS
from tasks.variants import BASELINES, VARIANTS
from tests.modules import MODULES, name_of
from tests.places import PROJECT_ROOT

ENGLISH, KOREAN = "README.md", "README.ko.md"
ARCHITECTURE, RUNBOOK = "docs/architecture.md", "operate/README.md"
PAGES = [ENGLISH, KOREAN, RUNBOOK, *sorted(name_of(path) for path in (PROJECT_ROOT / "docs").glob("*.md"))]
TEXTS = {page: (PROJECT_ROOT / page).read_text() for page in PAGES}

DEPLOYMENTS = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]

# What set-up, runs and readers make.
IGNORED = [line.strip("/") for line in (PROJECT_ROOT / ".gitignore").read_text().splitlines()]


def folders_in(folder: str) -> list[str]:
    """Return the project's own folders directly in one of them, by their paths."""
    found = [path for path in (PROJECT_ROOT / folder).iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(name_of(path) for path in found if not any(fnmatch(path.name, pattern) for pattern in IGNORED))


OURS = folders_in(".")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# A path below one of the project's folders, wherever it stands; one below the store begins with another name.
OUR_PATH = re.compile(rf"(?<![\w/.<>-])(?:{'|'.join(OURS)}|\.ci)/[\w./@-]*")
# A file of the project by the end of its name. Those of the store end in .json, .parquet, .html and .keras.
OUR_FILE = re.compile(r"[\w./@-]+\.(?:py|md|yaml|toml|lock|j2|css|js|po|csv|png|service)|Dockerfile|Makefile")


def paths_of(text: str) -> set[str]:
    """Return every path of the project in a text."""
    names = {one for one in CODE.findall(BLOCK.sub("", text)) if OUR_FILE.fullmatch(one)}
    return names | {path.rstrip(".") for path in OUR_PATH.findall(text)}


def blocks_of(text: str) -> list[str]:
    """Return the code blocks of a text without their comments."""
    return [re.sub(r"[ \t]*#.*$", "", block, flags=re.MULTILINE) for _, block in BLOCK.findall(text)]


def commands_of(text: str) -> list[str]:
    """Return what stands in code blocks, line by line, and between backticks, without comments."""
    lines = [line for block in blocks_of(text) for line in block.splitlines()]
    return [line.strip() for line in [*lines, *CODE.findall(BLOCK.sub("", text))] if line.strip()]


def retrain_commands(text: str) -> list[list[str]]:
    """Return the arguments of each `retrain` command of a text, and of `make run`."""
    found = []
    for command in commands_of(text):
        given = re.search(r"(?:^|\s)(?:\.venv/bin/)?retrain (.+)", command)
        made = re.fullmatch(r"make run(?: ARGS=\"(.*)\")?", command)
        if given:
            found.append(shlex.split(given[1]))
        if made:
            found.append(["run", *shlex.split(made[1] or "")])
    return found


def is_accepted(arguments: list[str]) -> bool:
    """Return whether the command line takes these arguments; it ends with 0 after `--help`."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit as end:
        return end.code == 0
    return True


def levels_of(page: str) -> list[str]:
    """Return the level of each heading of a page: "#" or "##" or more."""
    return re.findall(r"^(#+) ", BLOCK.sub("", TEXTS[page]), re.MULTILINE)


def anchors_of(page: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = HEADING.findall(BLOCK.sub("", (PROJECT_ROOT / page).read_text()))
    kept = ("".join(one for one in heading.lower() if one in " -_" or is_letter(one)) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def deployment_names() -> set[str]:
    """Return the names by which Prefect knows the deployments: the flow's, a slash, and their own."""
    names = set()
    for deployment in DEPLOYMENTS:
        path, function = deployment["entrypoint"].split(":")
        decorated = rf'@flow\(name="([\w-]+)"[^\n]*\n(?:@\w+\n)*def {function}\('
        (flow,) = re.findall(decorated, (PROJECT_ROOT / path).read_text())
        names.add(f"{flow}/{deployment['name']}")
    return names


def written(value: object) -> set[str]:
    """Return how a default may be written in a text."""
    one = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return {one, f"{value:g}"} if isinstance(value, float) else {one, f"{value:,}"} if isinstance(value, int) else {one}


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("see `tasks/data/pad.py`.", {"tasks/data/pad.py"}),
        ("see `prefect.yaml` and `model.keras`", {"prefect.yaml"}),
        ("```\nls flows/cli/ # docs/x.md\n```\n", {"flows/cli/", "docs/x.md"}),
        ("`output/reports/latest.html` and s3://bucket/reports/index.html", set()),
        ("`reports/latest.html`", {"reports/latest.html"}),
    ],
)
def test_paths_are_found_in_a_text(text, paths):
    assert paths_of(text) == paths


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page):
    """Beside the page or in the project; a file that its reader makes is in .gitignore."""
    places = (PROJECT_ROOT, (PROJECT_ROOT / page).parent)
    paths = paths_of(TEXTS[page]) - set(IGNORED)
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    for link in LINK.findall(TEXTS[page]):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        assert (PROJECT_ROOT / target).exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_a_heading_has_github_s_anchor():
    assert "a-fifth-variant" in anchors_of(ARCHITECTURE)
    assert "데이터-흐름" in anchors_of(KOREAN)


@pytest.mark.parametrize("page", PAGES)
def test_every_retrain_command_has_options_that_the_command_line_knows(page):
    refused = [arguments for arguments in retrain_commands(TEXTS[page]) if not is_accepted(arguments)]
    assert refused == []


def test_the_readme_shows_each_command_of_retrain_but_no_other():
    shown = {arguments[0] for arguments in retrain_commands(TEXTS[ENGLISH])}
    assert shown == {"run", "history", "report", "verify", "inspect", "champion", "predict"}


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_is_in_the_makefile(page):
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for command in commands_of(TEXTS[page]) for target in re.findall(r"\bmake ([a-z-]+)", command)}
    assert named - targets == set()


def test_every_make_target_is_in_docs_testing():
    targets = re.findall(r"^([a-z-]+):.*## ", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {f"make {target}" for target in targets} <= set(commands_of(TEXTS["docs/testing.md"]))


@pytest.mark.parametrize("page", PAGES)
def test_every_deployment_that_is_named_is_in_prefect_yaml(page):
    deployments = deployment_names()
    flows = "|".join({deployment.split("/")[0] for deployment in deployments})
    named = set(re.findall(rf"(?<![\w/-])(?:{flows})/[\w-]+", TEXTS[page]))
    run = set(re.findall(r"prefect deployment run '?([\w/-]+)", TEXTS[page]))
    assert (named | run) - deployments == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_pool_and_parameter_of_a_prefect_command_is_there(page):
    pools = {deployment["work_pool"]["name"] for deployment in DEPLOYMENTS}
    assert set(re.findall(r"--pool (\w+)", TEXTS[page])) <= pools
    names = {parameter.name for parameter in PARAMETERS}
    # Those of the other flows that people start with parameters.
    names |= set(
        re.findall(r"^    (\w+): Annotated", (PROJECT_ROOT / "flows/score_reviews.py").read_text(), re.MULTILINE)
    )
    assert set(re.findall(r"--param (\w+)=", TEXTS[page])) <= names


@pytest.mark.parametrize("page", [ENGLISH, KOREAN, RUNBOOK])
def test_the_time_of_the_schedule_is_that_of_prefect_yaml(page):
    ((schedule,),) = [one["schedules"] for one in DEPLOYMENTS if one["name"] == "nightly"]
    minute, hour, *_ = schedule["cron"].split()
    assert f"{int(hour):02d}:{int(minute):02d}" in TEXTS[page]
    assert schedule["timezone"] in TEXTS[page]


@pytest.mark.parametrize("page", PAGES)
def test_a_default_after_the_name_of_a_parameter_is_the_declared_one(page):
    for name, value in re.findall(r"`(\w+)` ?\(([\w.,]+)\)", TEXTS[page]):
        if hasattr(DEFAULTS, name):
            assert value in written(getattr(DEFAULTS, name)), name


@pytest.mark.parametrize(
    ("page", "pattern", "name"),
    [
        (ENGLISH, r"the last ([\d,]+) tokens", "maxlen"),
        (KOREAN, r"마지막 토큰 ([\d,]+)개", "maxlen"),
        (ENGLISH, r"`epochs` ?\((\d+)\)", "epochs"),
        (KOREAN, r"`epochs` ?\((\d+)\)", "epochs"),
        (ENGLISH, r"`seeds` ?\((\d+)\)", "seeds"),
        (KOREAN, r"`seeds` ?\((\d+)\)", "seeds"),
        ("docs/workers.md", r"took it within (\d+) s", "timeout_seconds"),
        (RUNBOOK, r"took it within (\d+) s", "timeout_seconds"),
        (RUNBOOK, r"its timeout of (\d+) s", "timeout_seconds"),
        (ENGLISH, r"else `(\w+)/`", "store"),
    ],
)
def test_a_default_in_a_sentence_is_the_declared_one(page, pattern, name):
    found = re.findall(pattern, TEXTS[page])
    assert found
    declared = getattr(DEFAULTS, name) or "output"
    assert set(found) <= written(declared)


@pytest.mark.parametrize("page", [ENGLISH, KOREAN])
def test_the_data_flow_shows_every_training(page):
    shown = re.findall(r"─ train (\w+)", TEXTS[page])
    assert shown == [variant.name for variant in (*VARIANTS, *BASELINES)]


def test_the_readme_has_at_most_900_words():
    assert len(TEXTS[ENGLISH].split()) <= 900


def test_the_two_readmes_have_the_same_commands_and_the_same_number_of_headings():
    """A comment in a code block may be translated."""
    assert blocks_of(TEXTS[KOREAN]) == blocks_of(TEXTS[ENGLISH])
    assert levels_of(KOREAN) == levels_of(ENGLISH)


def test_the_two_readmes_link_to_each_other_and_to_the_same_pages():
    english, korean = ({*LINK.findall(TEXTS[page])} for page in (ENGLISH, KOREAN))
    assert KOREAN in english
    assert ENGLISH in korean
    assert english - {KOREAN} == korean - {ENGLISH}


def test_the_readme_links_to_every_page_of_docs():
    linked = {link.partition("#")[0] for link in LINK.findall(TEXTS[ENGLISH])}
    assert {page for page in PAGES if page.startswith("docs/")} <= linked


@pytest.mark.parametrize("page", [ENGLISH, KOREAN])
def test_every_folder_of_the_top_level_is_in_the_list_of_the_readme(page):
    assert set(re.findall(r"^- `(\w+)/`", TEXTS[page], re.MULTILINE)) == set(OURS)


@pytest.mark.parametrize("page", [ENGLISH, KOREAN])
@pytest.mark.parametrize("folder", ["flows", "reports", "tasks"])
def test_every_folder_within_flows_reports_and_tasks_is_named_in_the_readme(page, folder):
    assert [path for path in folders_in(folder) if f"`{path}/`" not in TEXTS[page]] == []


def test_docs_architecture_names_every_module_once_with_one_line():
    listed = re.findall(r"^\| `([\w/]+\.py)` \| \S.* \|$", TEXTS[ARCHITECTURE], re.MULTILINE)
    modules = [name_of(path) for path in MODULES if path.name != "__init__.py"]
    assert [name for name in modules if name not in listed] == [], "a line is missing"
    assert [name for name in listed if name not in modules] == [], "the module is gone"
    assert len(listed) == len(set(listed))


def test_docs_architecture_has_a_heading_for_every_folder_and_each_module_stands_below_its_own():
    text = BLOCK.sub("", TEXTS[ARCHITECTURE])
    sections = dict(re.findall(r"^### ([\w/]+)$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))
    listed = {folder: re.findall(r"^\| `([\w/]+\.py)`", section, re.MULTILINE) for folder, section in sections.items()}
    folders = {posixpath.dirname(name_of(path)) for path in MODULES}
    assert folders <= set(listed)
    assert [name for folder, names in listed.items() for name in names if posixpath.dirname(name) != folder] == []


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_no_page_names_a_place_of_one_machine(page):
    text = (PROJECT_ROOT / page).read_text()
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\S*", text) == []
