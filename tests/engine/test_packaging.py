"""What `pip install` is told of this project agrees with what the doctor asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bev.compat.packages import REQUIREMENTS

tomllib = pytest.importorskip("tomllib", reason="new in Python 3.11")
ROOT = Path(__file__).parents[2]
EXTRAS = {"mmcv-lite": "lite", "mmsegmentation": "image", "mmpretrain": "image", "ftfy": "image", "regex": "image",
          "setuptools": "image", "transformers": "image", "pyarrow": "waymo-parquet"}  # fmt: skip
THROUGH_OTHERS = {"einops": "mmpretrain requires it"}


def bounds(requirement: str) -> tuple[str, set[str]]:
    """Name and version bounds."""
    name, rest = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
    return name, {bound for bound in rest.split(",") if bound}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_the_project_asks_for_what_the_doctor_asks_for(requirement) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if requirement.name in THROUGH_OTHERS:
        return
    extra = EXTRAS.get(requirement.name)
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    asked = dict(map(bounds, listed))
    assert requirement.name in asked
    for version, sign in ((requirement.minimum, ">="), (requirement.below, "<")):
        if version:
            assert any(bound.startswith(sign) for bound in asked[requirement.name]), (requirement.wanted, asked)


def test_make_installs_an_mmcv_within_the_range() -> None:
    mmcv = next(requirement for requirement in REQUIREMENTS if requirement.name == "mmcv-lite")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["lite"] == [mmcv.wanted]
    assert f"mmcv-lite=={mmcv.verified}" in (ROOT / "requirements" / "verified.txt").read_text().splitlines()
