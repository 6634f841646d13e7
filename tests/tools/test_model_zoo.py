from __future__ import annotations

from pathlib import Path

import pytest
from tool_runs import TOOLS, finish_tool

ROOT = TOOLS.parent
TABLES = {
    "configs": "docs/model_zoo.md",
    "projects/classification/configs": "projects/classification/README.md",
    "projects/detection/configs": "projects/detection/README.md",
    "projects/segmentation/configs": "projects/segmentation/README.md",
}
"""Where the table of each folder of configs stands."""

QUICK = (
    "configs/bevformerv2_internimage_nano_two_stage.py",
    "configs/multitask_internimage_nano_synthetic.py",
    "configs/occupancy_internimage_nano_synthetic.py",
    "configs/openlane_internimage_nano_synthetic.py",
    "projects/classification/configs/internimage_t_1k_224.py",
    "projects/detection/configs/internimage_nano_dino_coco_sample.py",
    "projects/detection/configs/mask_rcnn_internimage_t_1x_coco.py",
    "projects/segmentation/configs/internimage_nano_upernet_ade20k_sample.py",
)


def documented_rows(page: str) -> dict[str, str]:
    """Rows of the page's table of models, by their first cell."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("| config | parameters"))
    end = next((number for number in range(header, len(lines)) if not lines[number].startswith("|")), len(lines))
    return {line.split("|")[1].strip(): line for line in lines[header:end]}


@pytest.mark.parametrize("place", [*QUICK, *(pytest.param(folder, marks=pytest.mark.slow) for folder in TABLES)])
def test_the_documented_table_is_what_the_tool_prints(place: str) -> None:
    finished = finish_tool("model_zoo", ROOT / place)
    assert finished.status == 0
    rows = {line.split("|")[1].strip(): line for line in finished.out.splitlines() if line.startswith("|")}
    documented = documented_rows(TABLES.get(place) or TABLES[str(Path(place).parent)])
    assert rows == {name: documented.get(name) for name in rows}
    if place in TABLES:
        assert rows.keys() == documented.keys()


def test_a_place_without_configs_is_refused(tmp_path: Path) -> None:
    finished = finish_tool("model_zoo", tmp_path)
    assert (finished.status, finished.error) == (1, f"error: {tmp_path}: no configs in this folder")


def test_a_config_without_a_model_is_refused() -> None:
    part = ROOT / "configs" / "_base_" / "default_runtime.py"
    finished = finish_tool("model_zoo", part)
    assert (finished.status, finished.error) == (1, f"error: {part}: it has no model to measure")


def test_a_table_has_models_of_one_kind() -> None:
    image_model = ROOT / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
    finished = finish_tool("model_zoo", ROOT / "configs" / "bevformer_tiny.py", image_model)
    assert finished.status == 1
    assert finished.error.startswith("error: a table has models of one kind")
    assert not finished.out
