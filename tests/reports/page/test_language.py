"""The page's language: every sentence has a translation, and numbers and dates read as they do in that language."""

import ast
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

import reports.page
from reports.analysis.history import summarise_run
from reports.page.index_page import ListedRun, render_index
from reports.page.language import Language, isolate
from reports.page.report_page import render_report
from reports.sections.comparison_section import BAG_OF_WORDS, MAJORITY
from tests.example_runs import ALL_FAILED, COUNT, FOUR_VARIANTS, ONE_FAILED, THREE_SEEDS, evidence_of

FOLDER = Path(reports.page.__file__).parent
KOREAN = FOLDER / "translations" / "ko.po"
# How many of a call's first arguments are sentences.
SENTENCES = {"gettext": 1, "ngettext": 2}
HANGUL = re.compile("[가-힣]")

ENGLISH, IN_KOREAN = Language("en"), Language("ko")


def calls_in_code(path):
    """Yield place, function and sentences of each call; None stands for a sentence that is not a literal.

    Babel's own extractor reads tokens, and before Python 3.12 sees no call inside an f-string.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name in SENTENCES:
                arguments = node.args[: SENTENCES[name]]
                yield f"{path.name}:{node.lineno}", name, [getattr(argument, "value", None) for argument in arguments]


def calls_in_template(path):
    """Yield the same of a template; Jinja's own extractor sees no call of an attribute, as `language.ngettext` is."""
    for node in Environment().parse(path.read_text()).find_all(nodes.Call):
        name = getattr(node.node, "attr", getattr(node.node, "name", None))
        if name in SENTENCES:
            arguments = node.args[: SENTENCES[name]]
            yield f"{path.name}:{node.lineno}", name, [getattr(argument, "value", None) for argument in arguments]


# All but language.py, which looks up what it is given.
CALLS = [
    *(call for path in sorted(FOLDER.glob("*.py")) if path.name != "language.py" for call in calls_in_code(path)),
    *(call for path in sorted(FOLDER.glob("templates/*.j2")) for call in calls_in_template(path)),
]
# Of two forms Korean has the second alone.
MESSAGES = {sentences[-1] for _, _, sentences in CALLS}
TRANSLATIONS = {
    message.id: message.string for message in read_po(KOREAN.read_bytes().splitlines(keepends=True)) if message.id
}


def placeholders(sentence):
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def test_every_sentence_is_a_literal():
    """One put together from parts could not be looked up."""
    assert len(CALLS) > 200
    assert [call for call in CALLS if not all(isinstance(sentence, str) for sentence in call[2])] == []


def test_every_sentence_has_a_translation():
    assert sorted(message for message in MESSAGES if not TRANSLATIONS.get(message)) == []


def test_every_translation_is_used():
    assert sorted(TRANSLATIONS.keys() - MESSAGES) == []


def test_no_sentence_is_translated_twice():
    # The header is a message as well.
    assert len(re.findall("^msgid ", KOREAN.read_text(), re.MULTILINE)) == len(TRANSLATIONS) + 1


def test_a_translation_has_the_same_placeholders():
    assert {
        message: translation
        for message, translation in TRANSLATIONS.items()
        if placeholders(message) != placeholders(translation)
    } == {}


def test_both_forms_of_a_count_have_the_same_placeholders():
    forms = [sentences for _, name, sentences in CALLS if name == "ngettext"]
    assert [both for both in forms if placeholders(both[0]) != placeholders(both[1])] == []


def test_translations_are_korean():
    without_a_word = {"{name}({difference}%p, {low}~{high})", "{points}%p", "{loss} nat"}
    assert {text for text in TRANSLATIONS.values() if not HANGUL.search(text)} == without_a_word


def test_no_particle_hangs_on_the_sound_of_a_name():
    """은 or 는, 이 or 가: which one is right would depend on the name."""
    particle = re.compile(r"\}`?(은|는|이|가|을|를|과|와|로|으로|이나|나|이랑|랑)(?![가-힣])")
    assert [text for text in TRANSLATIONS.values() if particle.search(text)] == []


def test_what_is_not_significant_is_never_called_equal():
    assert TRANSLATIONS["not found"] == "확인되지 않음"
    assert TRANSLATIONS["clear"] == "있음"
    unclear = [
        text
        for message, text in TRANSLATIONS.items()
        if re.search("not found|[Nn]o clear (difference|winner)", message)
    ]
    assert len(unclear) >= 3
    assert [text for text in unclear if re.search("같|동일|동등|차이가 없|차이 없", text)] == []
    [caption] = [text for message, text in TRANSLATIONS.items() if "“Not found” does not mean" in message]
    assert "같다는 뜻이 아닙니다" in caption


def test_a_sentence_is_filled_in():
    assert ENGLISH.gettext("{name} failed: {error}", name="gru-seed42", error="{x}") == "gru-seed42 failed: {x}"
    assert IN_KOREAN.gettext("{name} failed: {error}", name="gru-seed42", error="{x}") == "gru-seed42 훈련 실패: {x}"


def test_what_the_catalogue_has_not_stays_english():
    assert IN_KOREAN.gettext("A sentence that nobody wrote.") == "A sentence that nobody wrote."


@pytest.mark.parametrize(
    ("count", "english", "korean"),
    [(0, "0 reviews", "리뷰 0개"), (1, "1 review", "리뷰 1개"), (1234, "1,234 reviews", "리뷰 1,234개")],
)
def test_a_count_has_the_form_of_its_language(count, english, korean):
    assert ENGLISH.ngettext("{count} review", "{count} reviews", count) == english
    assert IN_KOREAN.ngettext("{count} review", "{count} reviews", count) == korean


@pytest.mark.parametrize("language", [ENGLISH, IN_KOREAN], ids=lambda language: language.code)
@pytest.mark.parametrize(
    ("method", "value", "options", "expected"),
    [
        ("integer", 25000, {}, "25,000"),
        ("integer", 8632.6, {}, "8,633"),
        ("decimal", 0.42705, {}, "0.427"),
        ("decimal", 1234.567, {"digits": 1}, "1,234.6"),
        ("decimal", 1234.567, {"digits": 0}, "1,235"),
        ("decimal", 0.0221, {"signed": True}, "+0.022"),
        ("decimal", -0.0015, {"signed": True}, "−0.002"),
        ("decimal", -0.0004, {"signed": True}, "0.000"),
        ("percent", 0.80444, {}, "80.4%"),
        ("percent", 0.5, {}, "50.0%"),
        ("percent", 0.2849, {"digits": 0}, "28%"),
        ("percentage_points", 0.0131, {}, "+1.31"),
        ("percentage_points", -0.00104, {}, "−0.10"),
        ("p_value", 0.0327, {}, "0.033"),
        ("p_value", 0.4481, {}, "0.45"),
        ("p_value", 1.0, {}, "> 0.99"),
        ("p_value", 0.0009, {}, "< 0.001"),
    ],
)
def test_numbers_read_alike_in_both_languages(language, method, value, options, expected):
    assert getattr(language, method)(value, **options) == expected


@pytest.mark.parametrize("language", [ENGLISH, IN_KOREAN], ids=lambda language: language.code)
@pytest.mark.parametrize("method", ["integer", "decimal", "percent", "percentage_points", "p_value"])
def test_no_figure_is_shown_as_a_dash(language, method):
    assert getattr(language, method)(None) == "–"


def test_a_turned_direction_of_writing_ends_with_the_name_that_turned_it():
    said = ENGLISH.gettext("Chosen: {name}.", name="\u202eurg")
    assert said == "Chosen: \u2068\u202eurg\u2069."
    # What is isolated already is not isolated again, and no name can end its own isolation.
    assert isolate("\u2068\u202eurg\u2069 and lstm") == "\u2068\u202eurg\u2069 and lstm"
    assert isolate("\u2069\u202eurg") == "\u2068\u202eurg\u2069"


def test_dates_are_those_of_the_language():
    assert ENGLISH.date("2026-11-24T08:01:13Z") == "November 24, 2026 08:01:13 UTC"
    assert IN_KOREAN.date("2026-11-24T08:01:13Z") == "2026년 11월 24일 08:01:13 UTC"


def test_a_time_elsewhere_is_shown_in_utc():
    assert IN_KOREAN.date("2026-11-25T01:30:00+09:00") == IN_KOREAN.date("2026-11-24T16:30:00Z")


def test_lists_are_those_of_the_language():
    assert [ENGLISH.format_list(list("abc")[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert [IN_KOREAN.format_list(list("abc")[:count]) for count in (1, 2, 3)] == ["a", "a 및 b", "a, b 및 c"]


# Worse than the runs after it, and with several seeds, so that a band is known.
BETTER = replace(
    THREE_SEEDS,
    run_id="20261122T020000Z-abc123",
    trainings=tuple(
        replace(one, test=replace(one.test, accuracy=one.test.accuracy + 0.1)) for one in THREE_SEEDS.trainings
    ),
    cpu="another processor",
)
RUNS = {
    "first": (FOUR_VARIANTS, []),
    "of several seeds": (THREE_SEEDS, [BETTER]),
    "with a failure": (ONE_FAILED, [BETTER]),
    "of failures alone": (ALL_FAILED, []),
}
# What is called the same in every language.
NAMES = {"AUC", "SHA-256", "cpu", BAG_OF_WORDS, MAJORITY}
for _run, _ in RUNS.values():
    NAMES |= {_run.run_id, *_run.versions, *_run.parameters}
    NAMES |= {file.path for dataset in _run.datasets.values() for file in dataset.files.values()}
    for _training in (*_run.trainings, *_run.baselines):
        NAMES |= {_training.variant, _training.name, _training.layers}
        NAMES |= {file.path for file in _training.files.values()}
DAMAGED = "20261121T020000Z-abc123"
NAMES |= {BETTER.run_id, DAMAGED, *(f"test-{place}" for place in range(COUNT))}


class PageText(HTMLParser):
    """Collects a page's language and its texts, other than cells, code and the words of reviews, which are data."""

    def __init__(self, page):
        super().__init__()
        self.language, self.texts, self.cell, self.skipped = None, [], None, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.language = attributes["lang"] if tag == "html" else self.language
        if "aria-label" in attributes:
            self.texts.append(attributes["aria-label"])
        if tag in ("th", "td"):
            self.cell = tag
        if tag in ("style", "script", "code") or attributes.get("class") == "words":
            self.skipped = tag

    def handle_endtag(self, tag):
        self.cell = None if tag in ("th", "td") else self.cell
        self.skipped = None if tag == self.skipped else self.skipped

    def handle_data(self, data):
        if self.cell != "td" and not self.skipped:
            self.texts.append(data)


def untranslated(texts):
    """Return the texts in Latin letters that are neither Korean nor names."""
    return [
        text
        for text in texts
        if re.search("[A-Za-z]", text)
        and not HANGUL.search(text)
        and not all(part in NAMES for part in re.split(" – |, ", re.sub(r" (–|[0-9.]+)$", "", text.strip())))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_a_korean_report_has_no_english_text(run):
    run, earlier = RUNS[run]
    page = PageText(render_report(run, evidence_of(run, earlier), "ko"))
    assert page.language == "ko"
    assert len(page.texts) > 100
    assert untranslated(page.texts) == []


def test_a_korean_list_of_runs_has_no_english_text():
    runs = [ListedRun(summarise_run(run), True, ("data", "code"), 0.8) for run in (BETTER, FOUR_VARIANTS, ONE_FAILED)]
    page = PageText(render_index(runs, [DAMAGED], "ko"))
    assert page.language == "ko"
    assert untranslated(page.texts) == []


@pytest.mark.slow
def test_an_english_report_has_no_korean_text():
    page = render_report(FOUR_VARIANTS, evidence_of(FOUR_VARIANTS), "en")
    assert PageText(page).language == "en"
    assert not HANGUL.search(page)
