from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bev.engine.cli import run_main
from projects.segment_anything import segment
from projects.segment_anything.coco import decode
from projects.segment_anything.prompting import BoxPrompter

SIZES = {3: (30, 50), 12: (45, 20), 5: (24, 24)}  # height and width of each image
BOXES = [
    {"image_id": 12, "category_id": 2, "bbox": [2, 20, 10, 20], "score": 0.5},
    {"image_id": 3, "category_id": 9, "bbox": [5, 4, 40, 20], "score": 0.25},
    {"image_id": 12, "category_id": 9, "bbox": [0, 0, 20, 45], "score": 0.75},
]  # the third image has none


@pytest.fixture
def arguments(random_sam, tmp_path: Path) -> list[str]:
    """The command line for three pictures of noise and a model of random weights."""
    random = np.random.default_rng(0)
    images = []
    for number, (height, width) in SIZES.items():
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
    categories = [{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}]
    (tmp_path / "annotations.json").write_text(json.dumps({"images": images, "categories": categories}))
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES))
    random_sam.save_pretrained(tmp_path / "sam")
    files = {"sam": "sam", "annotations": "annotations.json", "boxes": "boxes.json", "out": "out/results.json"}
    options = [word for name, file in files.items() for word in (f"--{name}", str(tmp_path / file))]
    return [*options, "--images", str(tmp_path), "--device", "cpu"]


def test_every_box_gets_a_mask_of_its_image(arguments: list[str], tmp_path: Path) -> None:
    segment.main(arguments)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    kept = [{key: entry[key] for key in BOXES[0]} for entry in results]
    assert kept == [BOXES[1], BOXES[2], BOXES[0]]  # images as in the annotations, boxes by score
    assert [decode(entry["segmentation"]).shape for entry in results] == [SIZES[3], SIZES[12], SIZES[12]]
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "results.json"]


def test_a_stopped_run_goes_on(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment.main([*arguments, "--out", str(tmp_path / "whole.json")])
    original, seen = BoxPrompter.masks, []

    def masks(self, image, boxes):
        seen.append(image.shape[:2])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return original(self, image, boxes)

    monkeypatch.setattr(BoxPrompter, "masks", masks)
    with pytest.raises(KeyboardInterrupt):
        segment.main(arguments)
    assert not (tmp_path / "out" / "results.json").exists()
    segment.main(arguments)
    assert seen == [SIZES[3], SIZES[12], SIZES[12], SIZES[5]]  # the finished image is not done again
    assert (tmp_path / "out" / "results.json").read_text() == (tmp_path / "whole.json").read_text()


def test_other_settings_or_files_start_anew(arguments: list[str]) -> None:
    def state(*more: str) -> str:
        return segment.fingerprint(segment.parse_args([*arguments, *more]))

    before = state()
    assert state("--out", "elsewhere.json") == before
    assert state("--min-score", "0.3") != before
    Path(arguments[arguments.index("--boxes") + 1]).write_text("[]")
    assert state() != before


def test_a_picture_of_another_size_is_named(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (9, 8)).save(tmp_path / "12.png")
    monkeypatch.setattr("sys.argv", ["segment", *arguments])
    with pytest.raises(SystemExit, match=r"error: .*12\.png is 8 x 9, but the annotations say \(45, 20\)"):
        run_main(segment.main)


def test_a_detector_needs_config_and_weights(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    at = arguments.index("--boxes")
    with pytest.raises(SystemExit):
        segment.parse_args([*arguments[:at], *arguments[at + 2 :], "--config", "c.py"])
    assert "--config and --checkpoint go together" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_grey_pictures_of_16_bits_keep_their_shades(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 128, 129, 257], [32768, 65535, 51400, 65406]], np.uint16)
    Image.fromarray(values).save(tmp_path / name)
    pixels = segment.read_image(tmp_path / name, (2, 4))
    assert pixels.dtype == np.uint8 and pixels.shape == (2, 4, 3)
    np.testing.assert_array_equal(pixels, np.rint(values / 257)[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_other_modes_are_what_pillow_makes_of_them(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(np.arange(72, dtype=np.uint8).reshape(4, 6, 3)).convert(mode)
    picture.save(tmp_path / "picture.tif")
    np.testing.assert_array_equal(segment.read_image(tmp_path / "picture.tif", (4, 6)), picture.convert("RGB"))
