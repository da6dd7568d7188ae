"""The messages between a child process and its parent: each is one line with a JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Request = TypeVar("Request")
Answer = TypeVar("Answer")

# By type. Making one takes up to 50 ms.
_adapters: dict[Any, TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class Job(Generic[Request, Answer]):
    """Work for a child process: `main(request, tell)` of a module, which only the child imports.

    Attributes:
        module: The module's dotted name.
        request: The type of `main`'s first argument, made of dataclasses, tuples and plain values.
        answer: The type of `main`'s result, made of the same.
        environment: Environment variables of the child, in addition to the inherited ones.
        is_repeatable: Whether one child answers several requests. Otherwise it ends after the first, which frees its
            memory.
        leaves_out: Libraries that Keras and pyarrow import if they are installed, but do not need. Importing them takes
            1.6 s and 130 MB in a training, and 0.3 s and 70 MB in another step.
    """

    module: str
    request: type[Request]
    answer: type[Answer]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = False
    leaves_out: tuple[str, ...] = ("pandas", "sklearn", "matplotlib")


@dataclass(frozen=True)
class EpochFinished:
    """The figures of one epoch, as Keras reports them.

    Attributes:
        epoch: From 1.
        loss: Mean binary cross-entropy in nats, over the epoch's training reviews.
        accuracy: 0 to 1, over the same reviews.
        val_loss: Mean binary cross-entropy in nats, over the validation reviews, after the epoch.
        val_accuracy: 0 to 1, over the same reviews.
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
    """A training continues after this epoch, from its checkpoint."""

    epoch: int
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True)
class Warned:
    """Something went wrong that does not stop the work."""

    text: str
    kind: Literal["warned"] = "warned"


@dataclass(frozen=True)
class RecordsRead:
    """How many records of a source file were read so far."""

    file: str
    records: int
    kind: Literal["records read"] = "records read"


Event = EpochFinished | Resumed | Warned | RecordsRead


@dataclass(frozen=True)
class Answered:
    """The work is done.

    Attributes:
        answer: As JSON.
        is_last: Whether the child ends now and reads no other request.
    """

    answer: str
    is_last: bool
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True)
class Failed:
    """The work could not be done.

    Attributes:
        error: The error's message, in one line.
        is_bad_input: Whether the request, or a file that it names, was refused.
        may_pass: Whether another attempt may succeed.
    """

    error: str
    is_bad_input: bool
    may_pass: bool
    kind: Literal["failed"] = "failed"


Message = Event | Answered | Failed


def get_adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the pydantic adapter that reads and writes a type as JSON."""
    # Importing pydantic takes 0.1 s, which `retrain --help` does not need.
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def write_line(value: Any, kind: Any) -> bytes:
    """Return a value of a type as one line of JSON."""
    line: bytes = get_adapter(kind).dump_json(value)
    return line + b"\n"


def read_line(line: bytes | str, kind: Any) -> Any:
    """Return the value of type `kind` from a line of JSON.

    Raises:
        ValueError: The line does not hold such a value.
    """
    return get_adapter(kind).validate_json(line)
