"""What messages call a sample."""

from __future__ import annotations

from mmengine.structures import BaseDataElement


def sample_name(sample: BaseDataElement | None, number: int | None = None) -> str:
    """The token in a sample's metainfo; without one, as in live frames, its number in the batch where that is known."""
    token = None if sample is None else sample.metainfo.get("sample_token")
    return str(token or ("(no token)" if number is None else f"number {number}"))
