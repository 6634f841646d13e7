"""Segmentors that configs describe: published sizes, the golden backbone's keys, Mask2Former on mmdet's layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from bev.engine.checkpoint import convert_official, export_official
from bev.engine.config import load_config, scope
from bev.engine.image_model_size import SamplingCount, measure_image_model
from bev.engine.model_size import count, on_cpu
from bev.engine.runner import fit_to_cpu
from bev.engine.size_report import published

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[3] / "projects" / "segmentation" / "configs"
PUBLISHED = sorted(path for path in CONFIGS.glob("*.py") if "nano" not in path.stem and "_g_" not in path.stem)
# The authors give two figures for one and the same model; the other one, which is ours, stands beside COCO-Stuff 164K
# and Cityscapes.
OTHER_PARAMETERS = {
    "mask2former_internimage_h_512_40k_cocostuff164k_to_10k": 1.31e9,
    "mask2former_internimage_h_480_40k_pascal_context_59": 1094e6,
    "mask2former_internimage_h_480_40k_nyu": 1094e6,
}
TINY = {
    "model.backbone.variant": "t",
    "model.backbone.channels": 16,
    "model.backbone.depths": (1, 1, 1, 1),
    "model.backbone.groups": (1, 2, 4, 8),
    "model.decode_head.in_channels": [16, 32, 64, 128],
    "model.decode_head.num_queries": 7,
    "model.decode_head.pixel_decoder.encoder.num_layers": 1,
    "model.decode_head.transformer_decoder.num_layers": 2,
    "model.data_preprocessor.size": (64, 64),
}


def without_memory(config: Config) -> nn.Module:
    with scope(config), torch.device("meta"):
        return MODELS.build(config.model)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_parameters_are_the_published_ones(path: Path) -> None:
    config = load_config(path)
    ours = sum(value.numel() for value in without_memory(config).parameters())
    theirs = OTHER_PARAMETERS.get(path.stem, published(config)["parameters"])
    assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize(
    "path", [path for path in PUBLISHED if not path.stem.startswith("mask2former")], ids=lambda path: path.stem
)
def test_multiply_adds_are_the_published_ones(path: Path) -> None:
    config = load_config(path)
    assert measure_image_model(config).multiply_adds == pytest.approx(published(config)["multiply_adds"], rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mask2former_internimage_h_480_40k_nyu", "mask2former_internimage_h_512_40k_cocostuff164k_to_10k"]
)
def test_layers_alone_explain_the_published_multiply_adds_of_mask2former(name: str) -> None:
    """The authors' counter knows convolutions, linear layers and DCNv3, but neither attention nor other products."""
    config = load_config(CONFIGS / f"{name}.py")
    ours = measure_image_model(config)
    model = without_memory(config).eval().requires_grad_(False)
    with SamplingCount(model.backbone) as sampling:
        cost, maps = count(lambda: model.backbone(torch.zeros(1, 3, *ours.image_size, device="meta")))
    layers = 0

    def add(layer: nn.Module, _: tuple, output: torch.Tensor) -> None:
        nonlocal layers
        layers += output.numel() * layer.weight[0].numel()

    head = on_cpu(model.decode_head)
    for layer in head.modules():
        if type(layer).__name__ in ("Conv2d", "Linear"):  # and no projection inside an attention, which is not called
            layer.register_forward_hook(add)
    height, width = ours.image_size
    size = {"batch_input_shape": (height, width), "img_shape": (height, width), "ori_shape": (height, width)}
    head([torch.zeros(value.shape) for value in maps], [SegDataSample(metainfo=size)])
    alone = cost + sampling.multiply_adds + layers
    assert alone == pytest.approx(published(config)["multiply_adds"], rel=0.002)
    assert alone < ours.multiply_adds < 1.07 * alone


@pytest.mark.parametrize("variant", ["t", "xl"])
def test_backbones_have_the_golden_keys(variant: str, goldens: Path) -> None:
    wanted = json.loads((goldens / "internimage_seg_backbone" / f"keys_{variant}.json").read_text())
    model = without_memory(load_config(next(CONFIGS.glob(f"upernet_internimage_{variant}_*_ade20k.py"))))
    own = {key: list(value.shape) for key, value in model.backbone.state_dict().items()}
    assert own == {key: list(shape) for key, shape in wanted.items()}


@pytest.fixture(scope="module")
def mask2former() -> nn.Module:
    """The Mask2Former of Cityscapes, cut down; it looks at 64 x 64 pixels at a time."""
    config = load_config(CONFIGS / "mask2former_internimage_h_1024x1024_80k_mapillary2cityscapes.py")
    config.merge_from_dict({**TINY, "model.test_cfg.crop_size": (64, 64), "model.test_cfg.stride": (32, 32)})
    fit_to_cpu(config)
    torch.manual_seed(0)
    with scope(config):
        return MODELS.build(config.model)


def sample(height: int, width: int, labels: torch.Tensor) -> SegDataSample:
    size = {"img_shape": (height, width), "ori_shape": (height, width)}
    return SegDataSample(gt_sem_seg=PixelData(data=labels.expand(1, height, width)), metainfo=size)


def test_a_mask2former_learns(mask2former: nn.Module) -> None:
    samples = [sample(64, 64, torch.tensor(3)), sample(64, 64, torch.tensor(255))]  # all of the second is ignored
    images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in samples]
    batch = mask2former.data_preprocessor({"inputs": images, "data_samples": samples}, training=True)
    losses = mask2former.train()(**batch, mode="loss")
    assert {f"decode.{layer}loss_{kind}" for layer in ("", "d0.", "d1.") for kind in ("cls", "mask", "dice")} == set(
        losses
    )
    sum(losses.values()).backward()
    gradients = {name: value.grad for name, value in mask2former.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    mask2former.zero_grad()


def test_a_wide_image_is_looked_at_in_windows(mask2former: nn.Module) -> None:
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    size = {"img_shape": (64, 96), "ori_shape": (64, 96)}
    with torch.no_grad():
        whole = mask2former.eval().inference(image, [dict(size)])
        left, right = (
            mask2former.encode_decode(image[..., start : start + 64], [{**size, "img_shape": (64, 64)}])
            for start in (0, 32)
        )
    assert whole.shape == (1, 19, 64, 96)
    torch.testing.assert_close(whole[..., :32], left[..., :32])
    torch.testing.assert_close(whole[..., 32:64], (left[..., 32:] + right[..., :32]) / 2)
    torch.testing.assert_close(whole[..., 64:], right[..., 32:])


def test_official_names_of_its_layers(mask2former: nn.Module) -> None:
    weights = mask2former.state_dict()
    official = export_official(weights, "internimage")
    decoder = "decode_head.transformer_decoder.layers.1"
    # mmdet 2 numbers a layer's attentions in the order of their use, and this decoder looks at the image first.
    same = {"cross_attn": "attentions.0", "self_attn": "attentions.1", "ffn": "ffns.0"}
    for ours, theirs in same.items():
        inner = next(key for key in weights if key.startswith(f"{decoder}.{ours}.")).removeprefix(f"{decoder}.{ours}")
        assert torch.equal(official[f"{decoder}.{theirs}{inner}"], weights[f"{decoder}.{ours}{inner}"])
    assert "decode_head.pixel_decoder.encoder.layers.0.attentions.0.sampling_offsets.weight" in official
    back, _ = convert_official(official, "internimage")
    assert set(back) == set(weights) and all(torch.equal(back[key], weights[key]) for key in weights)
