"""Damaged annotations of data sets that mmdet, mmpretrain and the image projects read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from bev.engine.dataset_errors import AnnotationFileError
from bev.engine.experiment_runner import ExperimentRunner
from bev.errors import InputError

COCO = ConfigDict(type="mmdet.CocoDataset", pipeline=[])
INATURALIST = ConfigDict(type="mmpretrain.INaturalist2018", pipeline=[])
PLACES = ConfigDict(type="mmpretrain.Places365", data_prefix="images", pipeline=[])
CONCATENATED = ConfigDict(type="mmdet.ConcatDataset", datasets=[COCO])
DAMAGES = {
    "half": '{"images": [{"id": 1,',
    "list": "[1, 2, 3]",
    "empty": "",
    "other": json.dumps({"images": [{"id": 1}], "annotations": [{"id": 3}], "categories": [{"id": 1, "name": "cat"}]}),
}


def build(root: Path, dataset: ConfigDict) -> None:
    parts = [dict(part, data_root=str(root), ann_file="truth.json") for part in dataset.get("datasets", [dataset])]
    whole = dict(dataset, datasets=parts) if "datasets" in dataset else parts[0]
    sampler = dict(type="DefaultSampler", shuffle=False)
    with DefaultScope.overwrite_default_scope(dataset.type.partition(".")[0]):
        ExperimentRunner.build_dataloader(dict(dataset=whole, batch_size=1, num_workers=0, sampler=sampler))


@pytest.fixture(autouse=True)
def registered() -> None:
    import mmdet.datasets
    import mmpretrain.datasets

    import projects.classification.datasets

    assert all((mmdet.datasets, mmpretrain.datasets, projects.classification.datasets))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("dataset", [COCO, CONCATENATED, INATURALIST], ids=["coco", "concatenated", "inaturalist"])
def test_damaged_annotations_are_named(tmp_path: Path, dataset: ConfigDict, damage: str) -> None:
    (tmp_path / "truth.json").write_text(DAMAGES[damage])
    with pytest.raises(AnnotationFileError, match=r"truth\.json: not annotations as") as caught:
        build(tmp_path, dataset)
    assert str(caught.value).startswith(str(tmp_path / "truth.json"))
    assert dataset.type in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_with_a_foreign_line(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("/a/airfield/1.jpg 0\nno label here\n")
    with pytest.raises(AnnotationFileError, match=r"Places365 reads them \(ValueError: invalid literal"):
        build(tmp_path, PLACES)


def test_what_a_reader_of_ours_refuses_keeps_its_own_error(tmp_path: Path) -> None:
    unlabelled = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": []}
    (tmp_path / "truth.json").write_text(json.dumps(unlabelled))
    with pytest.raises(InputError, match=r"truth\.json: 1 images have no category, 1\.jpg for one$"):
        build(tmp_path, INATURALIST)


def test_a_missing_file_keeps_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"truth\.json"):
        build(tmp_path, COCO)


def test_an_argument_that_a_data_set_lacks_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(DAMAGES["half"])
    with pytest.raises(TypeError, match="colour"):
        build(tmp_path, ConfigDict(COCO, colour="red"))
