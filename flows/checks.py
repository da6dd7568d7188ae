"""Check the flow's parameters at its door, in one line for all that are wrong. Imports nothing of Prefect or Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flows.declarations import Parameter, require
from flows.parameters import PARAMETERS, choose_store
from storage.location import resolve_location
from storage.store import Store
from tasks.sources import resolve_source
from tasks.variants import VARIANTS


def check_parameters(parameters: dict[str, Any]) -> None:
    """Check all parameters of the nightly flow before anything is started or written.

    Raises:
        ValueError: One or more of them are not what they must be; the message names each.
        FileNotFoundError: `source` alone is wrong, and names a file that is not there.
    """
    errors = list(_find_errors(parameters))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ValueError(" ".join(map(str, errors)))
    # Last, because it writes.
    Store(choose_store(parameters["store"])).check_writable()


def _find_errors(parameters: dict[str, Any]) -> Iterator[ValueError | OSError]:
    for check in _CHECKS:
        try:
            check(parameters)
        except (ValueError, OSError) as error:
            yield error


def _check_bounds(parameter: Parameter, parameters: dict[str, Any]) -> None:
    parameter.check(parameters[parameter.name])


def _check_variants(parameters: dict[str, Any]) -> None:
    names, known = list(parameters["variants"]), [variant.name for variant in VARIANTS]
    unknown = [name for name in names if name not in known]
    are_good = names and not unknown and len(set(names)) == len(names)
    require(bool(are_good), "variants", f"different names out of {', '.join(known)}", ",".join(unknown or names))


def _check_seeds(parameters: dict[str, Any]) -> None:
    seeds = parameters["seeds"]
    require(len(seeds) > 0 and len(set(seeds)) == len(seeds), "seeds", "one or more different integers", seeds)


def _check_source(parameters: dict[str, Any]) -> None:
    source, sha256 = parameters["source"], parameters["sha256"]
    if source == "sample":
        require(sha256 is None, "sha256", "left out with source=sample", sha256)
    else:
        resolve_source("imdb" if source == "auto" else source, sha256)


def _check_placement(parameters: dict[str, Any]) -> None:
    if parameters["placement"] == "workers":
        # It costs a second, and only workers need a server that they can reach.
        from prefect.settings import PREFECT_API_URL

        must = "local where PREFECT_API_URL is not set, for no worker could reach a temporary server"
        require(bool(PREFECT_API_URL.value()), "placement", must, "workers")


def _check_address(parameters: dict[str, Any]) -> None:
    resolve_location(choose_store(parameters["store"]))


_CHECKS: tuple[Callable[[dict[str, Any]], None], ...] = (
    *(partial(_check_bounds, parameter) for parameter in PARAMETERS),
    _check_variants,
    _check_seeds,
    _check_source,
    _check_placement,
    _check_address,
)
