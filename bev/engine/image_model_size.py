"""How large a configured image model is: a classifier of mmpretrain, a detector of mmdet or a segmentor of mmseg."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from bev_ops.modules import DCNv3
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.engine.config import ConfigError, scope
from bev.engine.model_size import count, on_cpu

PROPOSALS, MASKS = 1000, 100  # regions of a two-stage detector, as the published figures were counted
SAMPLE_COST = 5  # multiply-adds per point and channel of DCNv3: four pixels and the point's weight
VALUE_DEPENDENT = "MultiScaleDeformableAttention"  # reads the sizes of levels from tensors

Maps = tuple[Tensor, ...]


@dataclass(frozen=True)
class ImageModelSize:
    """One row of a project's results table.

    Attributes:
        parameters: Of everything, heads for training alone included.
        backbone_parameters: Of the backbone.
        image_size: Height and width of the image.
        multiply_adds: For one image, of matrix products, convolutions and DCNv3's sampling. Norms, activations, what
            selects and resamples regions, and heads for training alone are not counted.
        sampling_multiply_adds: The share of DCNv3's sampling.
    """

    parameters: int
    backbone_parameters: int
    image_size: tuple[int, int]
    multiply_adds: int
    sampling_multiply_adds: int


def measure_image_model(config: Config, size: tuple[int, int] | None = None) -> ImageModelSize:
    """Builds the model of an experiment without memory for its weights and counts.

    Of a two-stage detector the heads see 1000 regions, and 100 for masks.

    Args:
        config: An experiment of mmpretrain, mmdet or mmseg.
        size: Height and width of the image; that of `input_size` where None.

    Raises:
        ConfigError: If the size can't be told, or the model is of another kind.
    """
    height, width = size or input_size(config)
    with scope(config), torch.device("meta"):
        model = MODELS.build(config.model).eval().requires_grad_(False)
    top = _top_of(model, config)
    images = torch.zeros(1, 3, height, width, device="meta")
    with SamplingCount(model.backbone) as sampling:
        cost, maps = count(lambda: model.backbone(images))
    return ImageModelSize(
        parameters=sum(value.numel() for value in model.parameters()),
        backbone_parameters=sum(value.numel() for value in model.backbone.parameters()),
        image_size=(height, width),
        multiply_adds=cost + sampling.multiply_adds + top(model, maps, (height, width)),
        sampling_multiply_adds=sampling.multiply_adds,
    )


def input_size(config: Config) -> tuple[int, int]:
    """Height and width of the images that a model is measured with.

    The config's `count_size` (height, width), which stands for the size that published figures are for, or else what
    the last cropping or resizing step of the test pipeline makes (the size it fits images into, if it keeps their
    proportions).

    Raises:
        ConfigError: If there is neither.
    """
    if config.get("count_size"):
        height, width = config.count_size
        return int(height), int(width)
    for step in reversed(config.test_dataloader.dataset.pipeline):
        if step.get("crop_size") is not None:
            return _pair(step.crop_size)
        if step.get("scale") is not None and step.type.rpartition(".")[2] == "Resize":
            height, width = reversed(_pair(step.scale))  # given as (width, height)
            return height, width
    raise ConfigError(f"{config.filename}: the test pipeline fixes no size; give the config count_size=(HEIGHT, WIDTH)")


class SamplingCount:
    """Counts what DCNv3's sampling costs while it is entered.

    Attributes:
        multiply_adds: The sum so far.
    """

    def __init__(self, module: nn.Module) -> None:
        self.multiply_adds = 0
        self._layers = [layer for layer in module.modules() if isinstance(layer, DCNv3)]

    def __enter__(self) -> SamplingCount:
        self._hooks = [layer.register_forward_hook(self._add) for layer in self._layers]
        return self

    def __exit__(self, *_: Any) -> None:
        for hook in self._hooks:
            hook.remove()

    def _add(self, layer: Any, _: Any, output: Tensor) -> None:
        points = layer.mask.out_features // layer.group
        self.multiply_adds += SAMPLE_COST * points * output.numel()


Top = Callable[[Any, Maps, tuple[int, int]], int]


def _top_of(model: nn.Module, config: Config) -> Top:
    """What counts the part after the backbone."""
    for parent in type(model).__mro__:
        if parent.__name__ in TOPS:
            return TOPS[parent.__name__]
    kinds = ", ".join(TOPS)
    raise ConfigError(f"{config.filename}: a {type(model).__name__} can't be measured, only one of {kinds}")


def _count_classifier(model: Any, maps: Maps, size: tuple[int, int]) -> int:
    def run() -> Any:
        return model.head(model.neck(maps) if model.with_neck else maps)

    return count(run)[0]


def _count_segmentor(model: Any, maps: Maps, size: tuple[int, int]) -> int:
    cost, maps = _count_neck(model, maps)
    head, maps = _place(model.decode_head, maps)
    # A head of masks and classes wants to know the images, too.
    wants_samples = "batch_data_samples" in inspect.signature(head.forward).parameters
    arguments = (maps, _data_samples("mmseg", size)) if wants_samples else (maps,)
    return cost + count(lambda: head(*arguments))[0]


def _count_two_stage(model: Any, maps: Maps, size: tuple[int, int]) -> int:
    cost, maps = _count_neck(model, maps)
    cost += count(lambda: model.rpn_head(maps))[0]
    for kind, number in (("bbox", PROPOSALS), ("mask", MASKS)):
        parts = (f"{kind}_head", f"{kind}_roi_extractor")
        heads, extractors = (_as_list(getattr(model.roi_head, part, None)) for part in parts)
        for head, extractor in zip(heads, extractors, strict=True):
            side = _pair(extractor.roi_layers[0].output_size)
            regions = torch.zeros(number, extractor.out_channels, *side, device="meta")
            cost += count(lambda head=head, regions=regions: head(regions))[0]
    return cost


def _count_transformer(model: Any, maps: Maps, size: tuple[int, int]) -> int:
    cost, maps = _count_neck(model, maps)
    model.backbone = None  # the rest gets memory
    model, samples = on_cpu(model), _data_samples("mmdet", size)
    zeros = tuple(torch.zeros(value.shape) for value in maps)
    return cost + count(lambda: model.bbox_head(**model.forward_transformer(zeros, samples)))[0]


TOPS: Mapping[str, Top] = {
    "ImageClassifier": _count_classifier,
    "EncoderDecoder": _count_segmentor,
    "TwoStageDetector": _count_two_stage,
    "DetectionTransformer": _count_transformer,
}


def _count_neck(model: Any, maps: Maps) -> tuple[int, Maps]:
    return count(lambda: model.neck(maps)) if getattr(model, "neck", None) is not None else (0, maps)


def _place(part: nn.Module, maps: Maps) -> tuple[Any, Maps]:
    """The part and its input, on the CPU if it looks at values, and else without memory."""
    if any(type(layer).__name__ == VALUE_DEPENDENT for layer in part.modules()):
        return on_cpu(part), tuple(torch.zeros(value.shape) for value in maps)
    return part, maps


def _data_samples(package: str, size: tuple[int, int]) -> list[Any]:
    """What a head is told of one image that fills its batch."""
    if package == "mmdet":
        from mmdet.structures import DetDataSample as Sample
    else:
        from mmseg.structures import SegDataSample as Sample
    return [Sample(metainfo={"batch_input_shape": size, "img_shape": size, "ori_shape": size, "pad_shape": size})]


def _as_list(modules: Any) -> list[Any]:
    if modules is None:
        return []
    return list(modules) if isinstance(modules, nn.ModuleList) else [modules]


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)
