from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from projects.segment_anything.coco import (
    CocoFileError,
    CocoImages,
    ImageBoxes,
    decode,
    encode,
    mask_ap,
    read_results,
    results_of,
)

IMAGES = [{"id": 7, "file_name": "a.jpg", "height": 40, "width": 60}]
CATEGORIES = [{"id": 44, "name": "bottle"}, {"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}]


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def coco(tmp_path: Path) -> CocoImages:
    return CocoImages.read(write(tmp_path / "annotations.json", {"images": IMAGES, "categories": CATEGORIES}))


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (480, 640)])
def test_run_lengths_survive_json(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(size) > 0.5
    assert np.array_equal(decode(json.loads(json.dumps(encode(mask)))), mask)


def test_classes_find_their_numbers_in_any_order(coco: CocoImages) -> None:
    assert coco.category_of(["toothbrush", "person", "bottle"]).tolist() == [90, 1, 44]
    with pytest.raises(CocoFileError, match="no category for the detector's classes dog"):
        coco.category_of(["person", "dog"])


def test_results_become_corners(coco: CocoImages, tmp_path: Path) -> None:
    entries = [
        {"image_id": 7, "category_id": 90, "bbox": [1, 2, 10, 20], "score": 0.5},
        {"image_id": 7, "category_id": 44, "bbox": [0, 0, 5.5, 5], "score": 0.75},
    ]
    found = read_results(write(tmp_path / "boxes.json", entries), coco)[7]
    assert found.boxes.tolist() == [[1, 2, 11, 22], [0, 0, 5.5, 5]]
    assert (found.scores.tolist(), found.categories.tolist()) == ([0.5, 0.75], [90, 44])
    back = results_of(7, found, np.ones((2, 40, 60), bool))
    assert [{key: entry[key] for key in entries[0]} for entry in back] == entries
    assert [decode(entry["segmentation"]).sum() for entry in back] == [2400, 2400]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image_id": 8, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}, "image 8 and category 1"),
        ({"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 1}, "image 7 and category 2"),
        ({"image_id": 7, "category_id": 1, "bbox": [0, 0, 1], "score": 1}, "entry 0 needs"),
        ({"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}, "entry 0 needs"),
        ("text", "entry 0 needs"),
    ],
)
def test_wrong_results_are_named(coco: CocoImages, tmp_path: Path, entry: object, message: str) -> None:
    with pytest.raises(CocoFileError, match=message):
        read_results(write(tmp_path / "boxes.json", [entry]), coco)


def test_wrong_annotations_are_named(tmp_path: Path) -> None:
    with pytest.raises(CocoFileError, match="needs lists of images and categories"):
        CocoImages.read(write(tmp_path / "a.json", {"images": IMAGES}))
    with pytest.raises(CocoFileError, match="image 7 has no file_name, width"):
        CocoImages.read(write(tmp_path / "b.json", {"images": [{"id": 7, "height": 3}], "categories": CATEGORIES}))
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(CocoFileError, match=r"c\.json: not valid JSON"):
        CocoImages.read(tmp_path / "c.json")


def test_boxes_are_sorted_clipped_and_limited() -> None:
    boxes = np.array([[-5.0, 3, 20, 50], [70, 5, 80, 9], [1, 1, 4, 4], [2, 2, 9, 9]])  # the second lies outside
    found = ImageBoxes(boxes, np.array([0.2, 0.9, 0.1, 0.6]), np.array([1, 2, 3, 4]))
    assert found.select((40, 60), 10, 0.0).categories.tolist() == [4, 1, 3]
    assert found.select((40, 60), 10, 0.15).boxes.tolist() == [[2, 2, 9, 9], [0, 3, 20, 40]]
    assert found.select((40, 60), 1, 0.0).categories.tolist() == [4]
    assert len(ImageBoxes.empty().select((40, 60), 10, 0.0).boxes) == 0


def test_true_masks_have_full_marks(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:30, 10:50] = True
    truth = {"id": 1, "image_id": 7, "category_id": 44, "bbox": [10, 5, 40, 25], "area": 1000.0, "iscrowd": 0}
    content = {"images": IMAGES, "categories": CATEGORIES, "annotations": [truth | {"segmentation": encode(mask)}]}
    annotations = write(tmp_path / "annotations.json", content)
    found = ImageBoxes(np.array([[10.0, 5, 50, 30]]), np.array([0.9]), np.array([44]))
    results = write(tmp_path / "results.json", results_of(7, found, mask[None]))
    assert mask_ap(annotations, results)["mask_AP"] == pytest.approx(100)
    nothing = write(tmp_path / "nothing.json", [])
    assert mask_ap(annotations, nothing) == {"mask_AP": 0.0, "mask_AP50": 0.0, "mask_AP75": 0.0}
