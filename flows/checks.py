"""Check the flow's parameters before the run starts, and report all errors in one line. Imports no Prefect or Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

from flows.declarations import Parameter, require
from flows.parameters import PARAMETERS, NightlyParameters
from reports.sections.gate_policy import parse_policy
from storage.champion_log import check_name
from storage.location import resolve_location
from storage.store import Store
from storage.store_address import choose_store
from tasks.data.encoding.tokenise import load_kiwi
from tasks.data.reading.labels import parse_label_map
from tasks.data.reading.readings import ReadingOptions
from tasks.data.reading.source_addresses import is_address, is_archive
from tasks.data.reading.source_files import check_source
from tasks.data.reading.text_decoding import check_encoding
from tasks.evaluation.page_address import read_reports_url
from tasks.sources import resolve_source
from tasks.variants import VARIANTS


def check_parameters(parameters: NightlyParameters) -> None:
    """Check all parameters of the nightly flow before anything is started or written.

    Args:
        parameters: Their values as given: by the command line, a deployment or a caller.

    Raises:
        ValueError: At least one value is not allowed, or the store cannot be written; the message names each.
        FileNotFoundError: Only `source` is wrong, and names a file that does not exist.
    """
    errors = list(_find_errors(parameters))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ValueError(" ".join(map(str, errors)))
    # Last, because this check writes a file.
    Store(choose_store(parameters.store)).check_writable()


def _find_errors(parameters: NightlyParameters) -> Iterator[ValueError | OSError]:
    for check in _CHECKS:
        try:
            check(parameters)
        except (ValueError, OSError) as error:
            yield error


def _check_bounds(parameter: Parameter, parameters: NightlyParameters) -> None:
    parameter.check(getattr(parameters, parameter.name))


def _check_variants(parameters: NightlyParameters) -> None:
    names, known = parameters.variants, [variant.name for variant in VARIANTS]
    unknown = [name for name in names if name not in known]
    are_good = names and not unknown and len(set(names)) == len(names)
    require(bool(are_good), "variants", f"different names out of {', '.join(known)}", ",".join(unknown or names))


def _check_seeds(parameters: NightlyParameters) -> None:
    seeds = parameters.seeds
    require(len(seeds) > 0 and len(set(seeds)) == len(seeds), "seeds", "one or more different integers", seeds)


def _check_source(parameters: NightlyParameters) -> None:
    # With an address of own reviews, the hash is that of their file.
    source, sha256 = parameters.source, None if is_address(parameters.reviews or "") else parameters.sha256
    if source == "sample":
        require(sha256 is None, "sha256", "left out with source=sample", sha256)
    elif not is_archive(source):
        check_source(source, sha256, "source")
    else:
        resolve_source("imdb" if source == "auto" else source, sha256)


def _check_gate(parameters: NightlyParameters) -> None:
    parse_policy(parameters.gate)


def _check_champion(parameters: NightlyParameters) -> None:
    check_name(parameters.champion)


def _check_reviews(parameters: NightlyParameters) -> None:
    reviews = parameters.reviews
    if reviews is not None:
        must = "left out if `source` has reviews of your own already; put all of them into one folder"
        require(is_archive(parameters.source), "reviews", must, reviews)
        check_source(reviews, parameters.sha256, "reviews")


def _check_reading(parameters: NightlyParameters) -> None:
    """Check what says how own reviews are read and encoded."""
    own = parameters.reviews is not None or not is_archive(parameters.source)
    given = {**asdict(ReadingOptions.take_from(parameters)), "label_map": parameters.label_map}
    for name, value in given.items():
        require(own or value is None, name, "left out without reviews of your own", value)
    if parameters.encoding is not None:
        check_encoding(parameters.encoding)
    if parameters.label_map is not None:
        parse_label_map(parameters.label_map)
    vocabulary, tokens = parameters.vocabulary, parameters.tokens
    has_archive = is_archive(parameters.source)
    must = "imdb beside an archive, whose word index is the vocabulary"
    require(not (own and has_archive) or vocabulary in (None, "imdb"), "vocabulary", must, vocabulary)
    require(own or vocabulary in (None, "imdb"), "vocabulary", "left out without reviews of your own", vocabulary)
    uses_imdb = has_archive or vocabulary == "imdb"
    require(tokens == "words" or not uses_imdb, "tokens", "words with IMDB's word index", tokens)
    if tokens == "morphemes":
        load_kiwi()


def _check_pairs(parameters: NightlyParameters) -> None:
    """Check that each check of own reviews has a warning and a stop, in the order in which they are reached."""
    for name in ("duplicates", "fewer", "drift", "unknown_words", "new_against_old", "balance"):
        values = getattr(parameters, f"check_{name}")
        in_order = values == tuple(sorted(values, reverse=name == "balance"))
        must = "two numbers, the one that warns and the one that stops, which is reached later"
        require(len(values) == 2 and in_order, f"check_{name}", must, ",".join(map(str, values)))


def _check_placement(parameters: NightlyParameters) -> None:
    if parameters.placement == "workers":
        # Imported late: it takes a second, and only runs on workers need a server that other machines can reach.
        from prefect.settings import PREFECT_API_URL

        must = "local if PREFECT_API_URL is not set, because no worker can reach a temporary server"
        require(bool(PREFECT_API_URL.value()), "placement", must, "workers")


def _check_address(parameters: NightlyParameters) -> None:
    resolve_location(choose_store(parameters.store))


def _check_reports_url(_parameters: NightlyParameters) -> None:
    read_reports_url()


_CHECKS: tuple[Callable[[NightlyParameters], None], ...] = (
    *(partial(_check_bounds, parameter) for parameter in PARAMETERS),
    _check_variants,
    _check_seeds,
    _check_source,
    _check_gate,
    _check_champion,
    _check_reviews,
    _check_reading,
    _check_pairs,
    _check_placement,
    _check_address,
    _check_reports_url,
)
