"""Small Segment Anything models: one with random weights, and one that fills its boxes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from transformers import SamConfig, SamModel

SIDE = 64


@pytest.fixture
def random_sam() -> SamModel:
    """A real model of some 30,000 random weights, whose masks are neither empty nor full."""
    vision = {
        "hidden_size": 16,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "window_size": 4,
        "global_attn_indexes": [1],
        "num_pos_feats": 8,
    }
    prompts = {"hidden_size": 16, "image_size": SIDE, "patch_size": 8, "mask_input_channels": 4}
    decoder = {"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    sam = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    torch.manual_seed(0)
    for name, parameter in sam.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)
        else:
            nn.init.constant_(parameter, float("norm" in name and name.endswith("weight")))
    return sam.eval()


class BoxFiller:
    """Stands in for the model: the mask of a box is the box, at a quarter of the resolution, as the real one's."""

    device = torch.device("cpu")

    def __init__(self, side: int = 1024) -> None:
        self.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=side))
        self.side = side
        self.calls: list[int] = []

    def get_image_embeddings(self, pixels: Tensor) -> Tensor:
        assert pixels.shape == (1, 3, self.side, self.side)
        return pixels

    def __call__(self, image_embeddings: Tensor, input_boxes: Tensor, multimask_output: bool) -> SimpleNamespace:
        assert not multimask_output
        self.calls.append(input_boxes.shape[1])
        centres = torch.arange(self.side // 4) * 4 + 2
        left, top, right, bottom = (input_boxes[0, :, i, None] for i in range(4))
        columns = (centres > left) & (centres < right)
        rows = (centres > top) & (centres < bottom)
        filled = (rows[:, :, None] & columns[:, None, :]).float() * 2 - 1
        return SimpleNamespace(pred_masks=filled[None, :, None])


@pytest.fixture
def box_filler() -> BoxFiller:
    """See there."""
    return BoxFiller()
