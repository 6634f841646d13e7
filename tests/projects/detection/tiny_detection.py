"""Two pictures with a box each, as each data set's distribution lays them out, below one folder per data set."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64
BOXES = {"first": (8, 8, 56, 56), "second": (40, 16, 88, 60)}  # left, top, right, bottom


def write_images(folder: Path, suffix: str = ".jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for name in BOXES:
        Image.fromarray(pixels).save(folder / f"{name}{suffix}")


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_coco(path: Path, categories: list[str]) -> None:
    """Annotations of the last category but one, in COCO's format."""
    images = [
        {"id": number, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT}
        for number, name in enumerate(BOXES)
    ]
    annotations = []
    for number, (left, top, right, bottom) in enumerate(BOXES.values()):
        width, height = right - left, bottom - top
        annotations.append(
            {
                "id": number + 1, "image_id": number, "category_id": len(categories) - 1, "iscrowd": 0,
                "bbox": [left, top, width, height], "area": width * height,
            }
        )  # fmt: skip
    named = [{"id": number + 1, "name": name} for number, name in enumerate(categories)]
    write_text(path, json.dumps({"images": images, "annotations": annotations, "categories": named}))


def write_bdd100k(root: Path, categories: list[str]) -> None:
    for split in ("train", "val"):
        write_coco(root / f"labels/det_20/det_{split}_coco.json", categories)
        write_images(root / f"images/100k/{split}")


def write_voc(root: Path, boxes: dict[str, tuple[int, int, int, int]] = BOXES) -> None:
    for year, splits in ((2007, ("trainval", "test")), (2012, ("trainval",))):
        folder = root / f"VOC{year}"
        write_images(folder / "JPEGImages")
        for split in splits:
            write_text(folder / f"ImageSets/Main/{split}.txt", "\n".join(BOXES) + "\n")
        for name, box in boxes.items():
            # VOC counts pixels from 1.
            sides = zip(("xmin", "ymin", "xmax", "ymax"), (side + 1 for side in box), strict=True)
            corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
            shape = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
            objects = f"<object><name>cow</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>"
            write_text(folder / f"Annotations/{name}.xml", f"<annotation>{shape}{objects}</annotation>")


def write_crowdhuman(root: Path) -> None:
    write_images(root / "Images")
    for split in ("train", "val"):
        lines = []
        for name, (left, top, right, bottom) in BOXES.items():
            box = [left, top, right - left, bottom - top]
            person = {"tag": "person", "fbox": box, "vbox": box, "hbox": box, "extra": {"ignore": 0}, "head_attr": {}}
            lines.append(json.dumps({"ID": name, "gtboxes": [person]}))
        write_text(root / f"annotation_{split}.odgt", "\n".join(lines) + "\n")


def write_openimages(root: Path) -> None:
    flags = "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
    header = f"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,{flags}"
    rows = [
        f"{name},xclick,/m/dog,1,{left / WIDTH},{right / WIDTH},{top / HEIGHT},{bottom / HEIGHT},0,0,0,0,0"
        for name, (left, top, right, bottom) in BOXES.items()
    ]
    for stem, split in (("oidv6-train", "train"), ("validation", "validation")):
        write_images(root / "OpenImages" / split)
        write_text(root / f"annotations/{stem}-annotations-bbox.csv", "\n".join([header, *rows]) + "\n")
        sizes = [{"filename": f"{name}.jpg", "ori_shape": (HEIGHT, WIDTH, 3)} for name in BOXES]
        (root / f"annotations/{split}-image-metas.pkl").write_bytes(pickle.dumps(sizes))
    write_text(root / "annotations/class-descriptions-boxable.csv", "/m/animal,Animal\n/m/dog,Dog\n")
    animal = {"LabelName": "/m/animal", "Subcategory": [{"LabelName": "/m/dog"}]}
    tree = {"LabelName": "/m/root", "Subcategory": [animal]}
    write_text(root / "annotations/bbox_labels_600_hierarchy.json", json.dumps(tree))
    confirmed = "".join(f"{name},verification,/m/dog,1\n" for name in BOXES)
    labels = "ImageID,Source,LabelName,Confidence\n" + confirmed
    write_text(root / "annotations/validation-annotations-human-imagelabels-boxable.csv", labels)
