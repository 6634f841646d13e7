from __future__ import annotations

import pytest

from bev.errors import InputError
from bev.transforms.occupancy import LoadOccupancy


def test_samples_without_labels_are_named():
    with pytest.raises(InputError, match="sample s1 has no occupancy labels: give the data set occupancy=True"):
        LoadOccupancy()({"sample_token": "s1"})
