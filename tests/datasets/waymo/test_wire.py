from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from tiny_waymo import make_frame

from bev.datasets.waymo.messages import message_class
from bev.datasets.waymo.wire import fields


def test_fields_lie_where_they_are_said_to() -> None:
    frame = make_frame("a", 0)
    data = frame.SerializeToString()
    found = list(fields(data))
    assert b"".join(data[tag:end] for _, tag, _, end in found) == data
    images = [data[begin:end] for number, _, begin, end in found if number == 4]
    assert images == [image.SerializeToString() for image in frame.images]
    assert [number for number, *_ in found].count(6) == len(frame.laser_labels)


def test_numbers_of_fixed_size_are_passed_over() -> None:
    image = message_class("CameraImage")(name=3, pose_timestamp=1.5)
    image.velocity.v_x = 2.0
    data = image.SerializeToString()
    assert [number for number, *_ in fields(data)] == [1, 4, 5]
    begin, end = next((begin, end) for number, _, begin, end in fields(data) if number == 4)
    assert [(number, last - first) for number, _, first, last in fields(data, begin, end)] == [(1, 4)]


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x0a\x05ab", "field 1 of 5 bytes ends beyond"), (b"\x0b", "wire type 3"), (b"\x0a\xff\xff", "no end")],
)
def test_what_is_no_message(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        list(fields(data))
