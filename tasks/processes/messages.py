"""What a child process and its parent say to each other: one JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Request = TypeVar("Request")
Answer = TypeVar("Answer")

# By type; making one takes up to 50 ms.
_adapters: dict[Any, TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class Job(Generic[Request, Answer]):
    """Work that a child process does: `main(request, tell)` of a module, which only the child imports.

    Attributes:
        module: Its dotted name.
        request: Type of what `main` takes, made of dataclasses, tuples and plain values.
        answer: Type of what `main` returns, of the same kind.
        environment: Variables of the child, beside the inherited ones.
        is_repeatable: Whether a child does one after another. Otherwise it ends after the first, and gives back the
            memory that it took.
        leaves_out: Libraries that Keras and pyarrow import only because they are installed. They cost 1.6 s and 130 MB
            of a training, 0.3 s and 70 MB of another step.
    """

    module: str
    request: type[Request]
    answer: type[Answer]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = False
    leaves_out: tuple[str, ...] = ("pandas", "sklearn", "matplotlib")


@dataclass(frozen=True)
class EpochFinished:
    """One epoch's figures, as Keras gives them.

    Attributes:
        epoch: From 1.
        loss: Mean binary cross-entropy in nats, over the epoch's training reviews.
        accuracy: 0 to 1, over the same.
        val_loss: Over the validation reviews, after the epoch.
        val_accuracy: Over the same.
        seconds: Wall time.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    kind: Literal["epoch finished"] = "epoch finished"


@dataclass(frozen=True)
class Resumed:
    """A training goes on after this epoch, from its checkpoint."""

    epoch: int
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True)
class Warned:
    """Something went wrong that does not stop the work."""

    text: str
    kind: Literal["warned"] = "warned"


Event = EpochFinished | Resumed | Warned


@dataclass(frozen=True)
class Answered:
    """The work is done.

    Attributes:
        answer: JSON.
        is_last: Whether the child ends now, and takes no other request.
    """

    answer: str
    is_last: bool
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True)
class Failed:
    """The work could not be done.

    Attributes:
        error: In one line.
        is_bad_input: Whether the request, or a file that it names, was refused.
        may_pass: Whether another attempt may succeed.
    """

    error: str
    is_bad_input: bool
    may_pass: bool
    kind: Literal["failed"] = "failed"


Message = EpochFinished | Resumed | Warned | Answered | Failed


def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what reads and writes a type as JSON."""
    # 0.1 s, for which `retrain --help` need not wait.
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def write_line(value: Any, kind: Any) -> bytes:
    """Return a value of a type as one line of JSON."""
    line: bytes = adapter(kind).dump_json(value)
    return line + b"\n"


def read_line(line: bytes | str, kind: Any) -> Any:
    """Return the value of a type that a line holds.

    Raises:
        ValueError: It holds none.
    """
    return adapter(kind).validate_json(line)
