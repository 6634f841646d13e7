from __future__ import annotations

import json
from pathlib import Path

import pytest

from projects.classification.datasets import INaturalist2018, Places365


def write_inaturalist(root: Path, labelled: int) -> None:
    images = [{"id": 10 + i, "file_name": f"train_val2018/Aves/{i}/{i}.jpg"} for i in range(2)]
    annotations = [{"image_id": 10 + i, "category_id": 5 - i} for i in range(labelled)]
    (root / "train2018.json").write_text(json.dumps({"images": images, "annotations": annotations}))


def test_inaturalist_labels_come_from_the_annotations(tmp_path: Path) -> None:
    write_inaturalist(tmp_path, labelled=2)
    dataset = INaturalist2018(ann_file="train2018.json", data_root=str(tmp_path))
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [entry["gt_label"] for entry in entries] == [5, 4]
    assert entries[1]["img_path"] == str(tmp_path / "train_val2018/Aves/1/1.jpg")


def test_an_image_without_category_is_refused(tmp_path: Path) -> None:
    write_inaturalist(tmp_path, labelled=1)
    with pytest.raises(ValueError, match=r"1 images have no category, train_val2018/Aves/1/1\.jpg"):
        INaturalist2018(ann_file="train2018.json", data_root=str(tmp_path))


def test_places_paths_stay_below_the_data_root(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("/a/airfield/00000001.jpg 0\n/z/zen_garden/2.jpg 364\n")
    dataset = Places365(data_root=str(tmp_path), data_prefix="images", ann_file="train.txt")
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert entries[0]["img_path"] == str(tmp_path / "images/a/airfield/00000001.jpg")
    assert [entry["gt_label"] for entry in entries] == [0, 364]
