"""Segment Anything (https://arxiv.org/abs/2304.02643) with boxes as prompts, through Hugging Face's transformers.

Shapes: N boxes, H W height and width of the image, S side of the square that the model sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import SamImageProcessor, SamModel

from bev.compat.device_contexts import settle_device_contexts
from bev.errors import InputError

settle_device_contexts()


class SamFolderError(InputError):
    """A folder that holds no Segment Anything model."""


class BoxPrompter:
    """One mask per box.

    The image is resized so that its longer side is S, and padded at the right and bottom. Boxes are scaled by the very
    factors that the image was resized by, and masks are cropped to the resized image before they are enlarged.

    Args:
        sam: The model.
        prompts_per_step: Boxes that the mask decoder sees at once, which limits memory.
    """

    def __init__(self, sam: SamModel, prompts_per_step: int = 32) -> None:
        side: int = sam.config.vision_config.image_size  # type: ignore[union-attr]  # the class attribute's type is wider
        self.sam = sam
        self.prompts_per_step = prompts_per_step
        self.padded = {"height": side, "width": side}
        self.processor = SamImageProcessor(size={"longest_edge": side}, pad_size=self.padded)

    @classmethod
    def from_folder(cls, folder: Path, device: str = "cpu", prompts_per_step: int = 32) -> BoxPrompter:
        """Read weights (`config.json` and `model.safetensors`, as `save_pretrained` writes them); nothing is fetched.

        Raises:
            SamFolderError: If the folder holds something else.
        """
        if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
            raise SamFolderError(f"{folder} has no config.json and model.safetensors of a Segment Anything model")
        sam: SamModel
        loaded: dict[str, Any]
        sam, loaded = SamModel.from_pretrained(  # type: ignore[misc]  # its type leaves `output_loading_info` out
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        # These two are one tensor, which is stored once.
        missing = sorted(key for key in loaded["missing_keys"] if "shared_embedding" not in key)
        if missing or loaded["mismatched_keys"]:
            wrong = ", ".join([*missing, *map(str, loaded["mismatched_keys"])][:3])
            raise SamFolderError(f"the weights in {folder} are not those of a Segment Anything model: {wrong}, ...")
        return cls(sam.eval().to(torch.device(device)), prompts_per_step)

    @torch.no_grad()
    def masks(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Masks (N, H, W) bool of what is in the boxes.

        Args:
            image: (H, W, 3) RGB of 8 bits.
            boxes: (N, 4) left, top, right, bottom in pixels of this image.
        """
        if not len(boxes):
            return np.zeros((0, *image.shape[:2]), bool)
        inputs = self.processor(images=image, return_tensors="pt").to(self.sam.device)
        scaled = self._scale(boxes, inputs).to(self.sam.device)
        embedding = self.sam.get_image_embeddings(inputs["pixel_values"])
        return np.concatenate([self._decode(embedding, part, inputs) for part in scaled.split(self.prompts_per_step)])

    def _scale(self, boxes: np.ndarray, inputs: Mapping[str, Any]) -> torch.Tensor:
        """Boxes (N, 4) in pixels of the resized image."""
        height, width = (inputs["reshaped_input_sizes"][0].cpu() / inputs["original_sizes"][0].cpu()).tolist()
        return torch.as_tensor(boxes, dtype=torch.float32) * torch.tensor([width, height, width, height])

    def _decode(self, embedding: torch.Tensor, boxes: torch.Tensor, inputs: Mapping[str, Any]) -> np.ndarray:
        output = self.sam(image_embeddings=embedding, input_boxes=boxes[None], multimask_output=False)
        masks = self.processor.post_process_masks(
            output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"], pad_size=self.padded
        )
        return masks[0][:, 0].cpu().numpy()
