"""How large a configured model is: parameters, and multiply-adds of one sample at its test resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bev.structures import BEVFeatures, CameraClip, ClipFeatures, ImageFeatures, Proposals


@dataclass(frozen=True)
class ModelSize:
    """One row of the model zoo.

    Attributes:
        parameters: Of everything, heads for training alone included.
        backbone_parameters: Of the backbone.
        image_size: Height and width of the images in evaluation, padded.
        frames: Frames that are looked at.
        cameras: Images per frame.
        multiply_adds: Of matrix products and convolutions for one sample: all frames through backbone, neck and
            encoder, then fusion and the heads that predict. Sampling, norms and activations are not counted.
        live_multiply_adds: The same for a live step, which sends the newest frame alone through backbone and neck.
    """

    parameters: int
    backbone_parameters: int
    image_size: tuple[int, int]
    frames: int
    cameras: int
    multiply_adds: int
    live_multiply_adds: int


def measure_size(config: Config) -> ModelSize:
    """Builds the model of an experiment without memory for its weights and counts."""
    with torch.device("meta"):
        model = MODELS.build(config.model).eval().requires_grad_(False)
    height, width = test_size(config)
    frames = len(config.test_dataloader.dataset.get("frame_offsets", (0,)))
    cameras = len(model.encoder.camera_embeds)
    images = torch.zeros(cameras, 3, height, width, device="meta")
    image_cost, levels = _count(lambda: model.neck(model.backbone(images)))
    encoder_cost, bev_map = _count_encoder(model, [tuple(level.shape[1:]) for level in levels], (height, width))
    top_cost = _count_top(model, bev_map, levels, (height, width), frames) + _count_proposals(model, levels)
    encoded = 1 if model.recurrent else frames  # a recurrent model encodes the newest frame alone
    return ModelSize(
        parameters=sum(value.numel() for value in model.parameters()),
        backbone_parameters=sum(value.numel() for value in model.backbone.parameters()),
        image_size=(height, width),
        frames=frames,
        cameras=cameras,
        multiply_adds=encoded * (image_cost + encoder_cost) + top_cost,
        live_multiply_adds=image_cost + encoded * encoder_cost + top_cost,
    )


def test_size(config: Config) -> tuple[int, int]:
    """Padded height and width of nuScenes' images (or the config's crop of them) in evaluation."""
    resize: dict[str, Any] = next(
        step for step in config.test_dataloader.dataset.pipeline if step["type"] == "ResizeCropFlipImages"
    )
    left, top, right, bottom = resize.get("crop") or (0, 0, 1600, 900)
    if resize.get("size"):
        height, width = resize["size"]
    else:
        heights = sorted(resize["heights"])
        height = heights[len(heights) // 2]
        width = round((right - left) * height / (bottom - top))
    divisor = config.model.data_preprocessor.get("pad_divisor", 32)
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor


test_size.__test__ = False  # type: ignore[attr-defined]  # a function about evaluation, no test


def _count_encoder(model: Any, shapes: list[tuple[int, ...]], size: tuple[int, int]) -> tuple[int, torch.Tensor]:
    """Cost of encoding one frame, on the CPU, since which pillars are seen depends on values; and the map."""
    encoder = _on_cpu(model.encoder)
    cameras = len(encoder.camera_embeds)
    levels = [torch.zeros(1, cameras, *shape) for shape in shapes]
    projections = torch.eye(4).repeat(1, cameras, 1, 1)
    sizes = torch.tensor(size).expand(1, cameras, 2)
    can_bus = torch.zeros(1, 18) if encoder.can_bus_mlp is not None else None
    mask = torch.ones(1, cameras, dtype=torch.bool)
    return _count(lambda: encoder(levels, projections, sizes, size, mask, None, can_bus))


def _count_top(
    model: Any, bev_map: torch.Tensor, levels: Sequence[torch.Tensor], size: tuple[int, int], frames: int
) -> int:
    """Cost of fusion and of the heads that predict."""
    cost = 0
    if model.temporal is not None and not model.recurrent:
        fusion = _on_cpu(model.temporal)
        maps, mask = [bev_map] * frames, torch.ones(1, frames, dtype=torch.bool)
        fusion_cost, bev_map = _count(lambda: fusion(maps, mask, frames - 1))
        cost += fusion_cost
    bev = BEVFeatures(bev_map, model.encoder.grid, _no_proposals(model))
    clip = _empty_clip(len(levels[0]), size)
    images = ImageFeatures(tuple(torch.zeros(1, 1, *level.shape) for level in levels), clip)
    sources = {"bev": bev, "both": ClipFeatures(bev, images)}
    heads = [_on_cpu(head) for head in model.heads.values() if head.predicts]
    return cost + sum(_count(partial(head, sources[head.source]))[0] for head in heads)


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
    return sum(_count(partial(head.forward_level, level, index))[0] for index, level in enumerate(used))


def _no_proposals(model: Any) -> Proposals | None:
    if model.proposals_from is None:
        return None
    count = model.heads[model.proposals_from].proposal_options.max_num
    labels = torch.zeros(1, count, dtype=torch.long)
    return Proposals(torch.zeros(1, count, 10), torch.zeros(1, count), labels, labels.bool())


def _on_cpu(module: nn.Module) -> nn.Module:
    """A module that was built without memory, with zeros for weights."""
    module = module.to_empty(device="cpu")
    for value in (*module.parameters(), *module.buffers()):
        value.data.zero_()
    return module


def _count(run: Any) -> tuple[int, Any]:
    """Multiply-adds and result of a call."""
    counter = FlopCounterMode(display=False)
    with counter:
        result = run()
    return counter.get_total_flops() // 2, result
