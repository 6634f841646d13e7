from __future__ import annotations

import pytest

from bev.datasets.openlane_v2.countries import is_country


@pytest.mark.parametrize("text", ["CN", "deu", "756", "United States of America", "taiwan", "Türkiye", "Palestine"])
def test_codes_and_names(text: str) -> None:
    assert is_country(text)


@pytest.mark.parametrize("text", ["", "XX", "Europe", "000", "Taiwan|", " CN"])
def test_others_are_none(text: str) -> None:
    assert not is_country(text)
