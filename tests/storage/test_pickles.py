"""The opcodes of a pickle are counted, and all that an array of lists does not need are refused."""

import pickle

import numpy as np
import pytest

from storage.pickles import PickledArray, PickledDtype, check_opcodes, read_array

ONE_OBJECT = b"])\x85\x86\x87tN\x88\x89R\x93"
# 0x81 is an opcode that is refused. So an argument that is read as an opcode raises an error.
STRINGS = [
    b"\x8c\x02\x81\x81",
    b"X\x02\x00\x00\x00\x81\x81",
    b"C\x02\x81\x81",
    b"B\x02\x00\x00\x00\x81\x81",
    b"U\x02\x81\x81",
    b"T\x02\x00\x00\x00\x81\x81",
    b"\x8a\x02\x81\x81",
    b"X\x02\x01\x00\x00" + b"\x81" * 258,
]
NO_OBJECT = [
    b"\x80\x81",
    b"\x95" + b"\x81" * 8,
    b"K\x81",
    b"M\x81\x81",
    b"J" + b"\x81" * 4,
    b"h\x81",
    b"j" + b"\x81" * 4,
]


def refuse(content: bytes, most: int) -> str:
    with pytest.raises(pickle.UnpicklingError) as caught:
        check_opcodes(content, most)
    return str(caught.value)


@pytest.mark.parametrize(
    "opcode", [bytes([code]) for code in ONE_OBJECT] + STRINGS + [b"G" + b"\x81" * 8, b"c\x81\n\x81\n"]
)
def test_what_makes_an_object_is_counted_once(opcode):
    check_opcodes(opcode * 3 + b".", 3)
    assert refuse(opcode * 3 + b".", 2) == "at most 2 objects are allowed, and it holds more"


@pytest.mark.parametrize("opcode", [*NO_OBJECT, b"(", b"e", b"a", b"b"])
def test_what_makes_no_object_is_not_counted(opcode):
    check_opcodes(opcode * 3 + b".", 0)


@pytest.mark.parametrize(
    "opcode", sorted(set(range(256)) - set(ONE_OBJECT + b"\x8cXCBUT\x8aGc\x80\x95KMJhj(eab.\x94qr"))
)
def test_every_other_opcode_is_refused(opcode):
    expected = f"only arrays of lists of integers are allowed, and it holds the opcode {opcode:#04x}"
    assert refuse(bytes([opcode]) * 20 + b".", 64) == expected
    assert refuse(b"](" + bytes([opcode]) * 20 + b".", 64) == expected


@pytest.mark.parametrize(
    "content", [b"", b"]", b"]q", b"(" * 1000, b"cnumpy", b"cnumpy\nndarray", b"X\x02\x00\x00\x00\x81", b"K"]
)
def test_a_pickle_without_an_end_breaks_off(content):
    assert refuse(content, 64) in (
        "it is truncated",
        "only arrays of lists of integers are allowed, and it holds the opcode 0x4b",
    )


@pytest.mark.parametrize(
    ("put", "place"),
    [
        (b"q\x02", 2),
        (b"q\xff", 255),
        (b"r\x02\x00\x00\x00", 2),
        (b"r\x00\x01\x00\x00", 256),
        (b"r\x00\x00\x00\x01", 1 << 24),
    ],
)
def test_an_object_is_put_in_no_place_that_objects_before_it_have_not_filled(put, place):
    assert refuse(b"]" + put + b".", 64) == f"only 1 objects are there, and it puts one in place {place}"


@pytest.mark.parametrize("before", range(1, 10))
def test_a_place_is_read_wherever_it_stands(before):
    for put in (b"q\x02", b"r\x02\x00\x00\x00"):
        assert refuse(b"]" * before + put + b".", 64) == "only 1 objects are there, and it puts one in place 2"


def test_places_are_counted_like_objects():
    check_opcodes(b"]q\x00]q\x01]r\x03\x00\x00\x00.", 3)
    check_opcodes(b"]\x94\x94.", 2)
    assert refuse(b"]\x94\x94.", 1) == "at most 1 objects are allowed, and it holds more"
    assert refuse(b"]q\x00q\x00.", 1) == "at most 1 objects are allowed, and it holds more"


def as_array(values: list, shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_of_rows_and_columns_is_read_in_either_order(order):
    array = np.array(as_array([1, 2, 3, 4, 5, 6], (2, 3)), order=order)
    assert read_array(pickle.dumps(array), (2, 3)).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_as_many_reviews_as_the_real_archive_has_are_read():
    reviews = as_array([[rank] for rank in range(25_000)], (25_000,))
    assert read_array(pickle.dumps(reviews), (25_000,)).tolist() == reviews.tolist()


def test_as_many_elements_as_are_allowed_are_read_and_no_more(monkeypatch):
    monkeypatch.setattr("storage.pickles.MAXIMUM_ELEMENTS", 3)
    assert read_array(pickle.dumps(as_array([1, 2, 3], (3,))), (3,)).tolist() == [1, 2, 3]
    with pytest.raises(pickle.UnpicklingError, match=r"^at most 3 reviews are allowed, and its header gives 4$"):
        read_array(pickle.dumps(as_array([1, 2, 3, 4], (4,))), (4,))


@pytest.mark.parametrize("announced", [(1,), (3,), (2, 1), ()])
def test_another_shape_than_announced_is_refused(announced):
    with pytest.raises(pickle.UnpicklingError) as caught:
        read_array(pickle.dumps(as_array([1, 2], (2,))), announced)
    assert str(caught.value) == f"it must hold an array of shape {announced}, and holds ndarray"


@pytest.mark.parametrize(("shape", "elements"), [((2,), 1), ((2,), 3), ((2, 2), 3), ((0,), 1), ((), 2)])
def test_an_array_has_as_many_elements_as_its_shape_says(shape, elements):
    array = PickledArray(PickledArray, (0,), b"b")
    with pytest.raises(pickle.UnpicklingError, match=f"as many elements as its shape says, and it has {elements}$"):
        array.__setstate__((1, shape, PickledDtype("O8", False, True), False, [1] * elements))
