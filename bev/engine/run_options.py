"""What a folder of results was made with, so that results of other options are not taken for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bev.datasets.text_files import read_json, write_json
from bev.errors import InputError

OPTIONS_FILE = "options.json"


def options_are_noted(folder: Path, options: Mapping[str, Any]) -> bool:
    """Whether a folder notes what its results are made with, which must be this.

    Raises:
        InputError: If it is something else.
    """
    file, advice = folder / OPTIONS_FILE, "choose another --work-dir, or delete the folder"
    if not file.exists():
        return False
    present = read_json(file, dict, advice)
    for key, wanted in options.items():
        if present.get(key) != wanted:
            raise InputError(f"{file}: the run has {key} {present.get(key)}, not {wanted}; {advice}")
    return True


def note_options(folder: Path, options: Mapping[str, Any]) -> None:
    """Note in a folder what its results are made with."""
    write_json(folder / OPTIONS_FILE, options, indent=1)
