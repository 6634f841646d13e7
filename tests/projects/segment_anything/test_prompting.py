from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SamImageProcessor, SamProcessor

from projects.segment_anything.prompting import BoxPrompter, SamFolderError


def filled(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    left, top, right, bottom = box.round().astype(int)
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def overlap(mask: np.ndarray, other: np.ndarray) -> float:
    return (mask & other).sum() / (mask | other).sum()


@pytest.mark.parametrize("size", [(480, 640), (640, 427), (800, 1067), (1500, 300)])
def test_a_model_that_fills_its_box_gives_the_box_back(box_filler, size: tuple[int, int]) -> None:
    height, width = size
    boxes = np.array(
        [
            [0.1 * width, 0.7 * height, 0.5 * width, 0.95 * height],
            [0.6 * width, 0.1 * height, width, 0.9 * height],
            [0, 0, width, height],
        ]
    )
    masks = BoxPrompter(box_filler).masks(np.zeros((*size, 3), np.uint8), boxes)
    assert masks.shape == (3, *size) and masks.dtype == bool
    for box, mask in zip(boxes, masks, strict=True):
        assert overlap(mask, filled(box, size)) > 0.94
        rows, columns = np.nonzero(mask)
        ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # A cell of the low-resolution mask is four pixels of the square that the model sees.
        np.testing.assert_allclose(ends, box, atol=4 * max(size) / 1024)


def test_boxes_go_to_the_decoder_in_steps(box_filler) -> None:
    boxes = np.tile([0.0, 0.0, 20.0, 10.0], (5, 1))
    assert BoxPrompter(box_filler, prompts_per_step=2).masks(np.zeros((30, 40, 3), np.uint8), boxes).shape == (
        5,
        30,
        40,
    )
    assert box_filler.calls == [2, 2, 1]


def test_no_boxes_make_no_masks_and_no_work(box_filler) -> None:
    assert BoxPrompter(box_filler).masks(np.zeros((30, 40, 3), np.uint8), np.zeros((0, 4))).shape == (0, 30, 40)
    assert box_filler.calls == []


def test_it_does_what_the_library_s_own_processor_does(random_sam) -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 90, 3), np.uint8)
    boxes = np.array([[5.0, 4.0, 60.0, 40.0], [30.0, 10.0, 88.0, 44.0]])
    padded = {"height": 64, "width": 64}
    processor = SamProcessor(SamImageProcessor(size={"longest_edge": 64}, pad_size=padded))
    inputs = processor(images=image, input_boxes=[boxes.tolist()], return_tensors="pt")
    inputs["input_boxes"] = inputs["input_boxes"].float()
    with torch.no_grad():
        output = random_sam(
            pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"], multimask_output=False
        )
    wanted = processor.image_processor.post_process_masks(
        output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"], pad_size=padded
    )

    masks = BoxPrompter(random_sam, prompts_per_step=1).masks(image, boxes)
    np.testing.assert_array_equal(masks, wanted[0][:, 0].numpy())
    assert 0.02 < masks.mean() < 0.98


def test_weights_come_from_a_folder(random_sam, tmp_path: Path) -> None:
    random_sam.save_pretrained(tmp_path)
    prompter = BoxPrompter.from_folder(tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    boxes = np.array([[5.0, 4.0, 50.0, 38.0]])
    np.testing.assert_array_equal(prompter.masks(image, boxes), BoxPrompter(random_sam).masks(image, boxes))


def test_other_folders_are_refused(random_sam, tmp_path: Path) -> None:
    with pytest.raises(SamFolderError, match=r"has no config\.json"):
        BoxPrompter.from_folder(tmp_path)
    weights = {key: value for key, value in random_sam.state_dict().items() if not key.startswith("mask_decoder.")}
    random_sam.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(SamFolderError, match=r"not those of a Segment Anything model: mask_decoder"):
        BoxPrompter.from_folder(tmp_path)
