from __future__ import annotations

from pathlib import Path

import pytest

from bev.engine.run_options import note_options, options_are_noted
from bev.errors import InputError


def test_a_folder_keeps_to_its_options(tmp_path: Path) -> None:
    assert not options_are_noted(tmp_path, {"epochs": 3})
    note_options(tmp_path, {"epochs": 3, "scenes": 4})
    assert options_are_noted(tmp_path, {"epochs": 3})
    with pytest.raises(InputError, match=r"options\.json: the run has epochs 3, not None; choose another --work-dir"):
        options_are_noted(tmp_path, {"epochs": None})
