"""The occupancy baseline against the official code: encoder in the ego frame, voxel head, losses, gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import golden
import golden_bevformer as reference
import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor

import bev
from bev.engine.config import load_config
from bev.geometry.can_bus import motion_of_can_bus
from bev.models.heads.occupancy import OccupancyOutputs
from bev.models.perceptor import BEVPerceptor
from bev.structures import BEVFeatures, PreviousBEV

CONFIG = Path(__file__).parents[2] / "configs" / "occupancy_bevformer_internimage_s.py"
GRADIENTS = {
    "heads.occupancy.decoder.layers.0.conv.weight": "pts_bbox_head.transformer.decoder.0.conv.weight",
    "heads.occupancy.decoder.classifier.2.weight": "pts_bbox_head.transformer.predicter.2.weight",
    "encoder.queries.weight": "pts_bbox_head.bev_embedding.weight",
}


@pytest.fixture(scope="module")
def stored(goldens: Path) -> np.lib.npyio.NpzFile:
    """What the official code computed."""
    return np.load(goldens / "occ_baseline" / "golden.npz")


@pytest.fixture
def model() -> BEVPerceptor:
    """The published model on 20 x 20 cells, with the weights of its official names."""
    bev.register_all()
    config = load_config(CONFIG).model
    config.encoder.grid.shape = config.temporal.grid.shape = (20, 20)
    config.temporal.update(motion="can_bus", rotation_centre=(100, 100))
    config.heads.occupancy.grid.shape = (20, 20, 16)
    config.backbone.update(with_cp=False)
    config.pop("type")
    perceptor = BEVPerceptor(**config)
    reference.fill(perceptor, family="occupancy")
    return perceptor.eval()


def encode(model: BEVPerceptor, stored: np.lib.npyio.NpzFile, with_previous: bool) -> Tensor:
    dtype = model.encoder.queries.weight.dtype
    can_bus = torch.from_numpy(stored["in/can_bus"])[None].double()
    turn, travelled = motion_of_can_bus(can_bus)
    bev_map = golden.inp("occ/prev_bev", (1, 400, 256)).to(dtype).transpose(1, 2).unflatten(2, (20, 20))
    shift = travelled / travelled.new_tensor(model.encoder.grid.extent[:2])
    # The official code moves the reference points of both maps, also where there is no previous one.
    previous = PreviousBEV(model.temporal.turn(bev_map, turn), shift, torch.tensor([with_previous]), shift_current=True)
    projections = torch.from_numpy(stored["in/lidar2img"] @ stored["in/ego2lidar"])[None].to(dtype)
    sizes = torch.tensor(reference.IMAGE_SIZE).expand(1, 6, 2)
    mask = torch.ones(1, 6, dtype=torch.bool)
    levels = [level.to(dtype) for level in reference.image_features("occ")]
    return model.encoder(levels, projections, sizes, reference.IMAGE_SIZE, mask, previous, can_bus)


def sample(stored: np.lib.npyio.NpzFile) -> Det3DDataSample:
    labels = torch.from_numpy(stored["in/voxel_semantics"][0])
    camera = torch.from_numpy(stored["in/mask_camera"][0])
    found = Det3DDataSample()
    found.gt_occupancy = BaseDataElement(semantics=labels, mask_camera=camera, mask_lidar=camera)
    return found


def loss(model: BEVPerceptor, outputs: OccupancyOutputs, stored: np.lib.npyio.NpzFile, mask: str | None) -> Tensor:
    model.heads["occupancy"].losses[0].mask = mask
    return model.heads["occupancy"].loss(outputs, [sample(stored)])["loss_cross_entropy"]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_voxels_and_losses_match(model: BEVPerceptor, stored, mode: str) -> None:
    model.train(mode == "train")
    head = model.heads["occupancy"]
    for case in ("noprev", "prev"):
        bev_map = encode(model, stored, case == "prev")
        outputs = head(BEVFeatures(bev_map, model.encoder.grid))
        golden.check(stored, f"{mode}/{case}/bev_embed", bev_map)
        golden.check(stored, f"{mode}/{case}/occ", outputs.logits[0])
        golden.check(stored, f"{mode}/{case}/get_occ", head.predict(outputs, [])[0][None].int(), atol=0)
    for name, mask in (("nomask", None), ("mask", "camera")):
        value = loss(model, outputs, stored, mask)
        torch.testing.assert_close(value, torch.tensor(stored[f"{mode}/loss_occ_{name}"]), rtol=1e-3, atol=0)


def test_gradients_match(model: BEVPerceptor, stored: np.lib.npyio.NpzFile) -> None:
    """In float64: in float32 the sign of a ReLU's input hangs on the last bit. What is left is the golden's error."""
    model.double().train()
    bev_map = encode(model, stored, with_previous=False)
    loss(model, model.heads["occupancy"](BEVFeatures(bev_map, model.encoder.grid)), stored, None).backward()
    for own, name in GRADIENTS.items():
        gradient = model.get_parameter(own).grad
        golden.check(stored, f"train/grad/{name}", gradient, atol=2e-3 * float(gradient.abs().max()))


@torch.no_grad()
def test_images_of_two_frames_give_the_official_voxels(model: BEVPerceptor, stored) -> None:
    model.temporal.shift_current = True
    projections = (stored["in/lidar2img"] @ stored["in/ego2lidar"])[None, None]
    # Both frames carry the same absolute values, so that the motion between them is 0.
    state = torch.zeros(1, 1, 18, dtype=torch.float64)
    state[0, 0] = torch.from_numpy(stored["in/can_bus"]).double()
    for name, wanted in (("occ/img", "img/occ"), ("occ/img2", "img/occ_second_frame")):
        clip = reference.clip_of(golden.inp(name, (1, 6, 3, 96, 160))[:, None], projections)
        levels = model.extract_images(clip)
        if name == "occ/img":
            for i, level in enumerate(levels):
                golden.check(stored, f"img/fpn{i}", level, atol=5e-4)
        found = model(replace(clip, can_bus=state), [Det3DDataSample(metainfo={"scene_token": "one"})], mode="predict")
        agreement = (found[0].pred_occupancy[None].numpy() == stored[wanted]).mean()
        assert agreement > 0.999, f"{wanted}: only {agreement:.4f} of the voxels agree"
