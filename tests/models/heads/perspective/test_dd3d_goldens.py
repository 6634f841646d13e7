"""The perspective head against the official code: outputs, targets, losses and gradients."""

from __future__ import annotations

from pathlib import Path

import golden
import numpy as np
import perspective_goldens
import pytest
import torch

from bev.models.heads.perspective import DD3DHead, DD3DOutputs
from bev.models.heads.perspective.assignment import assign_objects
from bev.structures import CameraClip, ImageFeatures

INTRINSIC = torch.tensor([[350.0, 0, 224], [0, 350, 128], [0, 0, 1]])
OFFICIAL = {
    "logits": "logits", "distances": "box2d_reg", "centredness": "centerness", "attributes": "attr", "speeds": "speed",
    "quaternions": "quat", "centres": "ctr", "depths": "depth", "sizes": "size", "confidences": "conf",
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(goldens: Path) -> np.lib.npyio.NpzFile:
    """What the official code computed."""
    return np.load(goldens / "bevformerv2_dd3d" / "golden.npz")


def clip_of_images(count: int = 3) -> CameraClip:
    projections = torch.eye(4).repeat(1, 1, count, 1, 1)
    projections[..., :3, :3] = INTRINSIC
    return CameraClip(
        images=torch.zeros(1, 1, count, 3, 256, 448),
        image_sizes=torch.tensor([256, 448]).expand(1, 1, count, 2),
        pix_T_bev=projections,
        camera_mask=torch.ones(1, 1, count, dtype=torch.bool),
        times=torch.zeros(1, 1),
        current=0,
        bev_augmentation=torch.eye(4)[None],
    )


def features(requires_grad: bool, dtype: torch.dtype) -> tuple[list[torch.Tensor], ImageFeatures]:
    levels = [
        golden.inp(f"dd3d/feat{i}", (3, 256, 256 // stride, -(-448 // stride))).to(dtype).requires_grad_(requires_grad)
        for i, stride in enumerate((8, 16, 32, 64, 128))
    ]
    return levels, ImageFeatures(tuple(level[None, None] for level in levels), clip_of_images())


def run(
    mode: str, requires_grad: bool = False, dtype: torch.dtype = torch.float32
) -> tuple[DD3DHead, DD3DOutputs, list[torch.Tensor]]:
    head = perspective_goldens.build_head().to(dtype).train(mode == "train")
    levels, image_features = features(requires_grad, dtype)
    return head, head(image_features), levels


# Training in float64: statistics of a batch magnify roundings, differently on each processor. What is left is the
# golden's own error, in pixels up to 1.02e-4.
@pytest.mark.parametrize(("mode", "dtype"), [("eval", torch.float32), ("train", torch.float64)])
@torch.no_grad()
def test_outputs_match(stored: np.lib.npyio.NpzFile, mode: str, dtype: torch.dtype) -> None:
    _, outputs, _ = run(mode, dtype=dtype)
    for own, official in OFFICIAL.items():
        for level, value in enumerate(getattr(outputs, own)):
            atol = 1.1e-4 if (mode, official) == ("train", "ctr") else 1e-4
            golden.check(stored, f"{mode}/{official}{level}", value, atol)


@torch.no_grad()
def test_targets_match(stored: np.lib.npyio.NpzFile) -> None:
    head, outputs, _ = run("eval")
    objects = perspective_goldens.image_objects(torch.from_numpy(stored["in/annos"]), INTRINSIC)
    found = assign_objects(objects, outputs.places(head.strides), 3, head.size_ranges, head.centre_radius)
    golden.check(stored, "targets/pos_inds", found.places, atol=0)
    golden.check(stored, "targets/labels_pos", objects.labels[found.objects], atol=0)
    golden.check(stored, "targets/box2d_reg_pos", found.distances)
    golden.check(stored, "targets/locations_pos", found.locations, atol=0)
    golden.check(stored, "targets/im_inds_pos", objects.images[found.objects], atol=0)
    golden.check(stored, "targets/attributes_pos", objects.attributes[found.objects], atol=0)
    speeds = torch.from_numpy(stored["targets/speeds_pos"])
    torch.testing.assert_close(objects.speeds[found.objects], speeds, equal_nan=True)


def test_losses_and_gradients_match(stored: np.lib.npyio.NpzFile) -> None:
    head, outputs, levels = run("train", requires_grad=True)
    objects = perspective_goldens.image_objects(torch.from_numpy(stored["in/annos"]), INTRINSIC)
    losses = head.losses_of_objects(outputs, objects, INTRINSIC.expand(3, 3, 3))
    names = {name.removeprefix("loss/") for name in stored.files if name.startswith("loss/")}
    assert set(losses) == names
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(stored[f"loss/{name}"].item(), rel=1e-5), name
    sum(losses.values()).backward()
    for level, feature in enumerate(levels):
        golden.check(stored, f"grad_feat{level}", feature.grad, atol=1e-4 * max(1.0, feature.grad.abs().max().item()))


def test_images_without_objects_teach_the_classes_alone(stored: np.lib.npyio.NpzFile) -> None:
    head, outputs, _ = run("train")
    losses = head.losses_of_objects(outputs, perspective_goldens.no_objects(INTRINSIC), INTRINSIC.expand(3, 3, 3))
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(stored[f"loss_nogt/{name}"].item(), rel=1e-5), name
    sum(losses.values()).backward()
    assert all(value.grad is not None for value in head.parameters())
