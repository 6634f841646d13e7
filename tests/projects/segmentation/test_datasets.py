"""Every config's data sets on made files that lie where the README says, through the pipelines as they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmseg.datasets import CityscapesDataset, MapillaryDataset_v1

from bev.engine.config import load_config, scope
from bev.engine.data_config import set_data_root

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[3] / "projects" / "segmentation" / "configs"
SIZE = (48, 96)  # height and width of the made pictures, in the proportions of Cityscapes
CITY, CITY_LABELS = "leftImg8bit.png", "gtFine_labelTrainIds.png"
# Config, folders of pictures and labels, their file names, lists of names, label in the files, the class that it is.
CASES = {
    "upernet_internimage_t_512_160k_ade20k": (
        [("images/training", "annotations/training"), ("images/validation", "annotations/validation")],
        ("a.jpg", "a.png"), (), 7, 6,
    ),
    "upernet_internimage_t_512x1024_160k_cityscapes": (
        [("leftImg8bit/train", "gtFine/train"), ("leftImg8bit/val", "gtFine/val")],
        (f"b/a_{CITY}", f"b/a_{CITY_LABELS}"), (), 7, 7,
    ),
    "mask2former_internimage_h_1024x1024_80k_mapillary2cityscapes": (
        [
            ("leftImg8bit/train", "gtFine/train"),
            ("leftImg8bit/train_extra", "refinement_final/train_extra"),
            ("leftImg8bit/val", "gtFine/val"),
        ],
        (f"b/a_{CITY}", f"b/a_{CITY_LABELS}"), (), 7, 7,
    ),
    "mask2former_internimage_h_896_80k_cocostuff164k": (
        [("images/train2017", "annotations/train2017"), ("images/val2017", "annotations/val2017")],
        ("a.jpg", "a_labelTrainIds.png"), (), 7, 7,
    ),
    "mask2former_internimage_h_512_40k_cocostuff164k_to_10k": (
        [("images/train2014", "annotations/train2014"), ("images/test2014", "annotations/test2014")],
        ("a.jpg", "a_labelTrainIds.png"), (), 7, 6,
    ),
    "mask2former_internimage_h_480_40k_pascal_context_59": (
        [("JPEGImages", "SegmentationClassContext")], ("a.jpg", "a.png"),
        ("ImageSets/SegmentationContext/train.txt", "ImageSets/SegmentationContext/val.txt"), 7, 6,
    ),
    "mask2former_internimage_h_480_40k_nyu": (
        [("image", "label40")], ("a.png", "a.png"), ("train.txt", "test.txt"), 7, 6,
    ),
}  # fmt: skip


def write(path: Path, content: np.ndarray | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    else:
        cv2.imwrite(str(path), content)


def write_pictures(root: Path, folders: list[tuple[str, str]], names: tuple[str, str], label: int) -> None:
    """A grey picture per folder, the upper half of one class and the rest ignored."""
    labels = np.full(SIZE, 255, np.uint8)
    labels[: SIZE[0] // 2] = label
    for pictures, maps in folders:
        write(root / pictures / names[0], np.full((*SIZE, 3), 90, np.uint8))
        write(root / maps / names[1], labels)


def build(config: Config, loader: str, pipeline: list | None = None):
    dataset = config[loader].dataset
    if pipeline is not None:
        dataset = {**dataset, "pipeline": pipeline}
    with scope(config):
        return DATASETS.build(dataset)


@pytest.mark.parametrize("name", CASES)
def test_pictures_and_labels_are_found(name: str, tmp_path: Path) -> None:
    folders, names, lists, label, meant = CASES[name]
    write_pictures(tmp_path, folders, names, label)
    for file in lists:
        write(tmp_path / file, "a\n")
    config = load_config(CONFIGS / f"{name}.py")
    set_data_root(config, tmp_path)
    training, test = build(config, "train_dataloader"), build(config, "test_dataloader")
    assert (len(training), len(test)) == (max(1, len(folders) - 1), 1)
    for sample in (*training, test[0]):
        assert set(sample["data_samples"].gt_sem_seg.data.unique().tolist()) <= {meant, 255}
    assert test[0]["data_samples"].gt_sem_seg.shape == SIZE
    crop = config.model.data_preprocessor.size
    assert all(side <= limit for side, limit in zip(training[0]["inputs"].shape[1:], crop, strict=True))
    assert not any(side % 32 for side in test[0]["inputs"].shape[1:])
    # Predictions have one number per class, or more where a published model has outputs to spare.
    assert len(test.metainfo["classes"]) <= config.model.decode_head.num_classes


def test_mapillary_gets_the_classes_of_cityscapes(tmp_path: Path) -> None:
    folders = [(f"{split}/images", f"{split}/labels") for split in ("training", "validation")]
    write_pictures(tmp_path / "mapillary", folders, ("a.jpg", "a.png"), 55)
    config = load_config(CONFIGS / "segformer_internimage_l_512x1024_80k_mapillary.py")
    set_data_root(config, tmp_path)
    training = build(config, "train_dataloader")
    assert len(training) == 2
    car = CityscapesDataset.METAINFO["classes"].index("car")
    assert set(training[0]["data_samples"].gt_sem_seg.data.unique().tolist()) == {car, 255}
    theirs, ours = MapillaryDataset_v1.METAINFO["classes"], CityscapesDataset.METAINFO["classes"]
    merged = {ours[index]: {theirs[label] for label in group} for index, group in enumerate(config.groups)}
    assert merged["road"] == {"Road", "Lane Marking - General", "Manhole"}
    assert merged["sidewalk"] == {"Curb", "Sidewalk"}
    assert merged["pole"] == {"Pole", "Utility Pole"}
    assert merged["rider"] == {"Bicyclist", "Motorcyclist", "Other Rider"}
    assert merged["train"] == {"On Rails"}
    single = [name for name, members in merged.items() if len(members) == 1 and name != "train"]
    assert all(name.split()[-1] in next(iter(merged[name])).lower() for name in single)


def test_several_scales_and_their_mirror_images_are_looked_at(tmp_path: Path) -> None:
    folders, names, _, label, _ = CASES["upernet_internimage_t_512_160k_ade20k"]
    write_pictures(tmp_path, folders, names, label)
    config = load_config(CONFIGS / "upernet_internimage_t_512_160k_ade20k.py")
    set_data_root(config, tmp_path)
    views = build(config, "test_dataloader", config.tta_pipeline)[0]
    heights = [image.shape[1] for image in views["inputs"]]
    assert heights == [side for side in (256, 384, 512, 640, 768, 896) for _ in range(2)]
    assert [bool(sample.metainfo.get("flip")) for sample in views["data_samples"]] == [False, True] * 6
    assert all(sample.gt_sem_seg.shape == SIZE for sample in views["data_samples"])
