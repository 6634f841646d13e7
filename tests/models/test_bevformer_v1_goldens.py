"""BEVFormer v1 tiny against the official code, with and without a previous BEV, and on two frames of a scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import golden
import golden_bevformer as reference
import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample

from bev.geometry.can_bus import motion_of_can_bus
from bev.models.perceptor import BEVPerceptor
from bev.structures import BEVFeatures, PreviousBEV

Golden = np.lib.npyio.NpzFile


@pytest.fixture(scope="module")
def stored(goldens: Path) -> Golden:
    """What the official code computed."""
    return np.load(goldens / "bevformer_v1_tiny" / "golden.npz")


@pytest.fixture(scope="module")
def detector() -> BEVPerceptor:
    """The published model, which turns its previous BEV about cell (100, 100)."""
    return reference.build_v1_detector()


def previous_bev(detector: BEVPerceptor, can_bus: torch.Tensor) -> PreviousBEV:
    turn, travelled = motion_of_can_bus(can_bus)
    bev_map = golden.inp("bevformer_v1/prev_bev", (1, 400, 256)).transpose(1, 2).unflatten(2, (20, 20))
    extent = travelled.new_tensor(detector.encoder.grid.extent[:2])
    return PreviousBEV(detector.temporal.turn(bev_map, turn), travelled / extent, torch.tensor([True]))


@pytest.mark.parametrize("case", ["noprev", "prev", "prev_center10"])
@torch.no_grad()
def test_encoder_and_decoder_match(detector: BEVPerceptor, stored: Golden, case: str, monkeypatch) -> None:
    if case == "prev_center10":
        monkeypatch.setattr(detector.temporal, "centre", (10.0, 10.0))
    can_bus = torch.from_numpy(stored["in/can_bus"])[None].double()
    previous = None if case == "noprev" else previous_bev(detector, can_bus)
    if previous is not None:
        golden.check(stored, f"{case}/shift", previous.shift, atol=1e-6)
        golden.check(stored, f"{case}/prev_bev_rotated", reference.as_tokens(previous.map).transpose(0, 1), atol=1e-6)
    taps = {}
    for i, layer in enumerate(detector.encoder.layers):
        layer.register_forward_hook(lambda _, __, output, i=i: taps.__setitem__(f"enc_layer{i}", output))
    first = detector.encoder.layers[0]
    first.temporal_attention.register_forward_hook(lambda _, __, output: taps.__setitem__("enc0_tsa", output))
    first.spatial_attention.register_forward_hook(lambda _, __, output: taps.__setitem__("enc0_sca", output))
    levels = [golden.inp("bevformer_v1/feat0", (1, 6, 256, 3, 5))]
    sizes = torch.tensor(reference.IMAGE_SIZE).expand(1, 6, 2)
    projections = torch.from_numpy(stored["in/lidar2img"])[None]
    bev_map = detector.encoder(
        levels, projections, sizes, reference.IMAGE_SIZE, torch.ones(1, 6, dtype=torch.bool), previous, can_bus
    )
    for name, value in taps.items():
        golden.check(stored, f"{case}/{name}", value)
    golden.check(stored, f"{case}/bev_embed", reference.as_tokens(bev_map).transpose(0, 1))
    outputs = detector.heads["detection"](BEVFeatures(bev_map, detector.encoder.grid))
    golden.check(stored, f"{case}/all_cls_scores", outputs.logits)
    golden.check(stored, f"{case}/all_bbox_preds", outputs.codes, atol=2e-3)


@torch.no_grad()
def test_video_matches(detector: BEVPerceptor, stored: Golden) -> None:
    states = [torch.from_numpy(stored[name]).double() for name in ("in/can_bus", "in/can_bus2")]
    for step, state in enumerate(states):
        images = golden.inp(f"bevformer_v1/img{step}", (1, 6, 3, 96, 160))[:, None]
        clip = replace(reference.clip_of(images, stored["in/lidar2img"][None, None]), can_bus=state[None, None])
        sample = Det3DDataSample(metainfo={"scene_token": "one scene"})
        found = detector(clip, [sample], mode="predict")[0].pred_instances_3d
        golden.check(stored, f"video/{step}/scores", found.scores_3d)
        golden.check(stored, f"video/{step}/labels", found.labels_3d, atol=0)
        golden.check(stored, f"video/{step}/boxes", found.bboxes_3d.tensor, atol=2e-3)
        bev_map = detector.video.read([sample]).map
        if step == 0:  # the official code turned its stored map in place when the second frame came
            bev_map = detector.temporal.turn(bev_map, torch.deg2rad(states[1][17:] - state[17:]))
        golden.check(stored, f"video/{step}/prev_bev_stored", reference.as_tokens(bev_map).transpose(0, 1))
    detector.video.reset()
