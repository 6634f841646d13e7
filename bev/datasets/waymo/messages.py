"""Message classes of the Waymo Open Dataset, built from `schema` at run time, without its wheel and TensorFlow.

They are in a pool of their own, so that they live beside the official modules where those are imported as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from bev.datasets.waymo.schema import ENUMS, MESSAGES, PACKAGE

_FIELD = descriptor_pb2.FieldDescriptorProto
_LABELS = {"optional": _FIELD.LABEL_OPTIONAL, "repeated": _FIELD.LABEL_REPEATED}
_SCALARS = {
    "double": _FIELD.TYPE_DOUBLE,
    "float": _FIELD.TYPE_FLOAT,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "bool": _FIELD.TYPE_BOOL,
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
}


def message_class(name: str) -> type[Any]:
    """The class of a message.

    Args:
        name: Without the package: "Frame", "Objects", "Label.Box".

    Raises:
        KeyError: The schema has no such message.
    """
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


def enum_values(name: str) -> dict[str, int]:
    """Numbers of an enum's values by name, for example of "CameraName.Name"."""
    return {value: number for number, value in enumerate(ENUMS[name])}


def parse(name: str, data: bytes) -> Message:
    """A message from its serialised bytes.

    Raises:
        google.protobuf.message.DecodeError: They aren't such a message.
    """
    return message_class(name).FromString(data)


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="bev/waymo.proto", package=PACKAGE, syntax="proto2")
    made: dict[str, Any] = {}
    for name in sorted(MESSAGES, key=lambda name: name.count(".")):
        outer, _, own = name.rpartition(".")
        made[name] = made[outer].nested_type.add(name=own) if outer else file.message_type.add(name=own)
        for line in filter(None, map(str.strip, MESSAGES[name].splitlines())):
            _add_field(made[name], line)
    for name, values in ENUMS.items():
        outer, _, own = name.rpartition(".")
        enum = made[outer].enum_type.add(name=own)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, line: str) -> None:
    declaration, _, default = line.partition(" = ")
    number, label, kind, name = declaration.split()
    field = message.field.add(name=name, number=int(number), label=_LABELS[label])
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _FIELD.TYPE_ENUM if kind in ENUMS else _FIELD.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    if default:
        field.default_value = default
