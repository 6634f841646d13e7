"""Data sets whose lists of images mmpretrain does not read."""

from __future__ import annotations

import json

from mmengine import fileio
from mmpretrain.datasets import BaseDataset, CustomDataset
from mmpretrain.registry import DATASETS

from bev.errors import InputError


@DATASETS.register_module()
class INaturalist2018(BaseDataset):
    """iNaturalist 2018: images and their categories from the competition's JSON files (`train2018.json`).

    File names in them are relative to the data root (`train_val2018/Plantae/7477/....jpg`).
    """

    def load_data_list(self) -> list[dict]:
        """One entry per image, with its path and label.

        Raises:
            InputError: If an image has no category.
        """
        content = json.loads(fileio.get_text(self.ann_file))
        labels = {entry["image_id"]: entry["category_id"] for entry in content["annotations"]}
        unlabelled = [image["file_name"] for image in content["images"] if image["id"] not in labels]
        if unlabelled:
            raise InputError(f"{self.ann_file}: {len(unlabelled)} images have no category, {unlabelled[0]} for one")
        return [
            {"img_path": fileio.join_path(self.data_root, image["file_name"]), "gt_label": labels[image["id"]]}
            for image in content["images"]
        ]


@DATASETS.register_module()
class Places365(CustomDataset):
    """Places365: images and labels from the published lists, whose paths for training start with a slash."""

    def load_data_list(self) -> list[dict]:
        """One entry per image, with its path and label."""
        lines = fileio.get_text(self.ann_file).splitlines()
        pairs = [line.rsplit(maxsplit=1) for line in lines if line.strip()]
        return [
            {"img_path": fileio.join_path(self.img_prefix, name.lstrip("/")), "gt_label": int(label)}
            for name, label in pairs
        ]
