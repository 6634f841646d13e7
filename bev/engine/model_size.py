"""How large a configured model is: parameters, and multiply-adds of one sample at its test resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bev.engine.data_config import evaluated_dataset
from bev.structures import BEVFeatures, CameraClip, ClipFeatures, ImageFeatures, Proposals

IMAGE_FILES = {
    "NuScenesClipDataset": ((900, 1600),) * 6,
    "OpenLaneClipDataset": ((1550, 2048),) * 7,  # of subset A, the front one as the official pipeline resizes it
    "WaymoClipDataset": ((1280, 1920),) * 3 + ((886, 1920),) * 2,
}
"""Height and width of the images of one moment, by data set."""


@dataclass(frozen=True)
class ModelSize:
    """One row of the model zoo.

    Attributes:
        parameters: Of everything, heads for training alone included.
        backbone_parameters: Of the backbone.
        cameras: Images of one moment.
        image_size: Height and width of the images in evaluation, padded.
        frames: Frames that are looked at.
        multiply_adds: Of matrix products and convolutions for one sample: all frames through backbone, neck and
            encoder, then fusion and the heads that predict. Sampling, norms and activations are not counted.
        live_multiply_adds: The same for a live step, which sends the newest frame alone through backbone and neck.
    """

    parameters: int
    backbone_parameters: int
    cameras: int
    image_size: tuple[int, int]
    frames: int
    multiply_adds: int
    live_multiply_adds: int


def measure_size(config: Config) -> ModelSize:
    """Builds the model of an experiment without memory for its weights and counts."""
    with torch.device("meta"):
        model = MODELS.build(config.model).eval().requires_grad_(False)
    height, width = evaluated_size(config)
    frames, cameras = len(evaluated_dataset(config).get("frame_offsets", (0,))), len(_image_files(config))
    images = torch.zeros(cameras, 3, height, width, device="meta")
    image_cost, levels = count(lambda: model.neck(model.backbone(images)))
    encoder_cost, bev_map = _count_encoder(model, [tuple(level.shape) for level in levels], (height, width))
    top_cost = _count_top(model, bev_map, levels, (height, width), frames) + _count_proposals(model, levels)
    return ModelSize(
        parameters=sum(value.numel() for value in model.parameters()),
        backbone_parameters=sum(value.numel() for value in model.backbone.parameters()),
        cameras=cameras,
        image_size=(height, width),
        frames=frames,
        multiply_adds=frames * (image_cost + encoder_cost) + top_cost,
        # Live, a recurrent model encodes the newest frame alone.
        live_multiply_adds=image_cost + (1 if model.recurrent else frames) * encoder_cost + top_cost,
    )


def evaluated_size(config: Config) -> tuple[int, int]:
    """Padded height and width that the images of a moment (or the config's crop of them) share in evaluation."""
    steps = evaluated_dataset(config).pipeline
    resize: Mapping[str, Any] = next((step for step in steps if step["type"] == "ResizeCropFlipImages"), {})
    sizes = [_resized(size, resize) for size in _image_files(config)]
    divisor = config.model.data_preprocessor.get("pad_divisor", 32)
    height, width = (-(-max(side) // divisor) * divisor for side in zip(*sizes, strict=True))
    return height, width


def _image_files(config: Config) -> Sequence[tuple[int, int]]:
    """Height and width of each image of a moment."""
    dataset = evaluated_dataset(config)
    files = IMAGE_FILES[dataset.type]
    return files[: len(dataset.cameras)] if dataset.get("cameras") else files


def _resized(size: tuple[int, int], resize: Mapping[str, Any]) -> tuple[int, int]:
    """Size of an image after the pipeline's resizing step."""
    left, top, right, bottom = resize.get("crop") or (0, 0, size[1], size[0])
    if resize.get("size"):
        height, width = resize["size"]
        return height, width
    heights = sorted(resize.get("heights") or [bottom - top])
    height = heights[len(heights) // 2]
    return height, round((right - left) * height / (bottom - top))


def _count_encoder(model: Any, shapes: list[tuple[int, ...]], size: tuple[int, int]) -> tuple[int, torch.Tensor]:
    """Cost of encoding one frame with levels of these shapes (N, C, h_i, w_i), on the CPU, since which pillars are seen
    depends on values; and the map."""
    encoder = on_cpu(model.encoder)
    cameras = shapes[0][0]
    levels = [torch.zeros(1, *shape) for shape in shapes]
    projections = torch.eye(4).repeat(1, cameras, 1, 1)
    sizes = torch.tensor(size).expand(1, cameras, 2)
    can_bus = torch.zeros(1, 18) if encoder.can_bus_mlp is not None else None
    mask = torch.ones(1, cameras, dtype=torch.bool)
    return count(lambda: encoder(levels, projections, sizes, size, mask, None, can_bus))


def _count_top(
    model: Any, bev_map: torch.Tensor, levels: Sequence[torch.Tensor], size: tuple[int, int], frames: int
) -> int:
    """Cost of fusion and of the heads that predict."""
    cost = 0
    if model.temporal is not None and not model.recurrent:
        fusion = on_cpu(model.temporal)
        maps, mask = [bev_map] * frames, torch.ones(1, frames, dtype=torch.bool)
        fusion_cost, bev_map = count(lambda: fusion(maps, mask, frames - 1))
        cost += fusion_cost
    bev = BEVFeatures(bev_map, model.encoder.grid, _no_proposals(model))
    clip = _empty_clip(len(levels[0]), size)
    images = ImageFeatures(tuple(torch.zeros(1, 1, *level.shape) for level in levels), clip)
    sources: dict[str, Any] = {"bev": bev, "both": ClipFeatures(bev, images)}
    heads: list[Any] = [on_cpu(head) for head in model.heads.values() if head.predicts]
    return cost + sum(count(partial(head, sources[head.source]))[0] for head in heads)


def _empty_clip(cameras: int, size: tuple[int, int]) -> CameraClip:
    """One frame without padding; its images take no memory."""
    return CameraClip(
        images=torch.zeros(1).expand(1, 1, cameras, 3, *size),
        image_sizes=torch.tensor(size).repeat(1, 1, cameras, 1),
        pix_T_bev=torch.eye(4).repeat(1, 1, cameras, 1, 1),
        camera_mask=torch.ones(1, 1, cameras, dtype=torch.bool),
        times=torch.zeros(1, 1),
        current=0,
        bev_augmentation=torch.eye(4)[None],
    )


def _count_proposals(model: Any, levels: Sequence[torch.Tensor]) -> int:
    """Cost of the perspective head where its proposals are asked for."""
    if model.proposals_from is None:
        return 0
    head = model.heads[model.proposals_from]
    used = levels[head.first_level :][: len(head.strides)]
    return sum(count(partial(head.forward_level, level, index))[0] for index, level in enumerate(used))


def _no_proposals(model: Any) -> Proposals | None:
    if model.proposals_from is None:
        return None
    count = model.heads[model.proposals_from].proposal_options.max_num
    labels = torch.zeros(1, count, dtype=torch.long)
    return Proposals(torch.zeros(1, count, 10), torch.zeros(1, count), labels, labels.bool())


def on_cpu(module: nn.Module) -> nn.Module:
    """A module that was built without memory, with zeros for weights."""
    module = module.to_empty(device="cpu")
    for value in (*module.parameters(), *module.buffers()):
        value.data.zero_()
    return module


def count(run: Any) -> tuple[int, Any]:
    """Multiply-adds and result of a call."""
    counter = FlopCounterMode(display=False)
    with counter:
        result = run()
    return counter.get_total_flops() // 2, result
