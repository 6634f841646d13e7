from __future__ import annotations

import golden
import golden_bevformer as reference
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from bev.models.heads.bev_detection_head import DetectionOutputs
from bev.structures import BEVFeatures


def official_features(cameras: np.ndarray, feature_name: str, bev_shape: tuple[int, int]) -> BEVFeatures:
    """BEV of each sample's cameras (B, 6, 4, 4), as the published encoder makes it."""
    encoder = reference.build_part(reference.encoder_config(bev_shape), "encoder.")
    levels = reference.image_features(feature_name, len(cameras))
    return BEVFeatures(reference.encode(encoder, levels, torch.from_numpy(cameras)), encoder.grid)


@pytest.fixture(scope="module")
def square_features(golden_t1: np.lib.npyio.NpzFile) -> BEVFeatures:
    with torch.no_grad():
        return official_features(golden_t1["in/lidar2img"][None], "bevformerv2", (20, 20))


def run_with_taps(head: nn.Module, features: BEVFeatures) -> tuple[DetectionOutputs, dict[str, torch.Tensor]]:
    """Outputs of the head, and by the goldens' names what its decoder's modules return."""
    layers = head.decoder.layers
    tapped = {"dec0_self": layers[0].self_attention, "dec0_cross": layers[0].cross_attention}
    tapped |= {f"dec_layer{i}": layer for i, layer in enumerate(layers)}
    seen: dict[str, torch.Tensor] = {}
    for name, module in tapped.items():
        module.register_forward_hook(lambda _module, _inputs, output, name=name: seen.update({name: output}))
    return head(features), seen


@torch.no_grad()
def test_every_decoder_layer_matches(golden_t1: np.lib.npyio.NpzFile, square_features: BEVFeatures) -> None:
    head = reference.build_part(reference.detection_config(), "heads.detection.")
    outputs, seen = run_with_taps(head, square_features)
    for name, states in seen.items():
        golden.check(golden_t1, f"eval/{name}", states.transpose(0, 1))
    golden.check(golden_t1, "eval/all_cls_scores", outputs.logits)
    golden.check(golden_t1, "eval/all_bbox_preds", outputs.codes, atol=2e-3)


@torch.no_grad()
def test_rectangular_map_and_a_batch_equal_single_samples(golden_rect: np.lib.npyio.NpzFile) -> None:
    cameras = np.stack([golden_rect["in/lidar2img"], golden_rect["in/lidar2img_b"]])
    head = reference.build_part(reference.detection_config(), "heads.detection.")
    outputs = head(official_features(cameras, "bevformerv2_bs2", (12, 20)))
    for sample in range(2):
        golden.check(golden_rect, f"single{sample}/all_cls_scores", outputs.logits[:, sample, None])
        golden.check(golden_rect, f"single{sample}/all_bbox_preds", outputs.codes[:, sample, None], atol=2e-3)


@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_groups_do_not_see_each_other_and_match(
    golden_t2: np.lib.npyio.NpzFile, square_features: BEVFeatures, mode: str
) -> None:
    fusion = MODELS.build(reference.fusion_config(2))
    reference.fill(fusion, "temporal.")
    head = reference.build_part(reference.detection_config(num_queries=32, num_groups=11), "heads.detection.")
    previous = golden.inp("bevformerv2/prev_bev", (1, 400, 256)).transpose(1, 2).unflatten(2, (20, 20))
    training = mode == "train"
    fused = fusion.train(training)([previous, square_features.map], torch.ones(1, 2, dtype=torch.bool), current=1)
    outputs = head.train(training)(BEVFeatures(fused, square_features.grid))
    # Batch statistics of 400 cells, twelve layers earlier, leave 2e-3 m between float32 and float64 in training.
    golden.check(golden_t2, f"{mode}/all_cls_scores", outputs.logits, atol=5e-4 if training else 1e-4)
    golden.check(golden_t2, f"{mode}/all_bbox_preds", outputs.codes, atol=5e-3 if training else 2e-3)
