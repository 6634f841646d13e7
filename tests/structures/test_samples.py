from __future__ import annotations

import pytest
from mmengine.structures import BaseDataElement

from bev.structures.samples import sample_name


@pytest.mark.parametrize(
    ("metainfo", "number", "expected"),
    [
        ({"sample_token": "e93e98b6"}, 3, "e93e98b6"),
        ({"sample_token": ""}, 3, "number 3"),
        ({}, 0, "number 0"),
        ({}, None, "(no token)"),
    ],
)
def test_samples_are_called_by_token_or_number(metainfo: dict, number: int | None, expected: str) -> None:
    assert sample_name(BaseDataElement(metainfo=metainfo), number) == expected


def test_there_may_be_no_samples() -> None:
    assert sample_name(None, 1) == "number 1"
