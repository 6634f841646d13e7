"""Messages built at run time against bytes and texts that the official modules wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

from bev.datasets.waymo.messages import enum_values, message_class, parse
from bev.datasets.waymo.schema import MESSAGES

GOLDENS = Path(__file__).parents[2] / "goldens" / "waymo_messages"


@pytest.mark.parametrize("name", ["Frame", "Objects", "Config", "Submission"])
def test_official_bytes_and_text(name: str) -> None:
    data = (GOLDENS / f"{name}.bin").read_bytes()
    message = parse(name, data)
    assert text_format.MessageToString(message) == (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")
    assert message.SerializeToString(deterministic=True) == data


def test_every_field_of_the_schema_is_in_the_official_messages() -> None:
    """So that the test above compares all of them."""
    texts = "".join(path.read_text(encoding="utf-8") for path in GOLDENS.glob("*.txt"))
    fields = {line.split()[3] for lines in MESSAGES.values() for line in lines.splitlines() if line.strip()}
    assert len(fields) > 60
    assert [field for field in sorted(fields) if f"{field}:" not in texts and f"{field} {{" not in texts] == []


def test_fields_that_the_schema_lacks_are_kept() -> None:
    data = (GOLDENS / "FrameWithLasers.bin").read_bytes()
    frame = parse("Frame", data)
    assert (frame.context.name, frame.timestamp_micros) == ("c", 7)
    again = parse("Frame", frame.SerializeToString())
    assert len(again.SerializeToString()) == len(data)


def test_defaults() -> None:
    assert message_class("Object")().score == 1.0
    config = message_class("Config")()
    assert config.desired_recall_delta == pytest.approx(0.05)
    assert config.let_metric_config.align_type == 2
    assert enum_values("CameraName.Name")["SIDE_RIGHT"] == 5


def test_a_message_that_is_not_in_the_schema() -> None:
    with pytest.raises(KeyError, match="Laser"):
        message_class("Laser")


def test_neither_tensorflow_nor_the_official_package_is_imported() -> None:
    waymo = ("messages", "objects", "submission", "tfrecord", "index_build", "dataset")
    evaluation = ("bev.evaluation.waymo_let", "bev.evaluation.waymo_metric")
    modules = ", ".join([*(f"bev.datasets.waymo.{name}" for name in waymo), *evaluation])
    code = f"import sys, {modules}; print(sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'numba'" in found
    assert "tensorflow" not in found
    assert "waymo_open_dataset" not in found
