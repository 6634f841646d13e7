"""Decoders, losses and targets of the occupancy head."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement

import bev
from bev.errors import InputError
from bev.geometry import BEVGrid
from bev.models.heads.occupancy import OccupancyHead
from bev.models.heads.occupancy.targets import VoxelTargets, coarser
from bev.models.losses.occupancy import LovaszSoftmax, SceneClassAffinity, VoxelCrossEntropy
from bev.structures import BEVFeatures

GRID = {"bounds": (-8.0, -4.0, -1.0, 8.0, 4.0, 2.2), "shape": (16, 8, 4)}
DECODERS = {
    "volume": {"type": "VolumeDecoder", "in_channels": 16, "heights": 4, "channels": 8, "hidden": 8},
    "height": {"type": "ChannelToHeight", "in_channels": 16, "heights": 4, "channels": 8, "hidden": 8},
    "split": {
        "type": "ChannelToHeight", "in_channels": 16, "heights": 4, "channels": 8, "hidden": 8, "cell_split": 2,
    },
    "fine": {"type": "CoarseToFine", "in_channels": 16, "heights": 4, "channels": 8},
}  # fmt: skip
HEAD = {"type": "OccupancyHead", "grid": GRID, "decoder": DECODERS["volume"]}
ALL_LOSSES = [
    {"type": "VoxelCrossEntropy", "class_counts": list(range(2, 20))},
    {"type": "LovaszSoftmax", "mask": "camera"},
    {"type": "SceneClassAffinity", "kind": "geometric"},
    {"type": "SceneClassAffinity", "kind": "semantic", "mask": "lidar"},
]


def head(decoder: str, losses: list | None = None) -> OccupancyHead:
    bev.register_all()
    torch.manual_seed(0)
    split = 2 if decoder == "split" else 1
    return MODELS.build({**HEAD, "decoder": DECODERS[decoder], "cell_split": split, "losses": losses or ALL_LOSSES})


def features(batch: int = 2) -> BEVFeatures:
    torch.manual_seed(1)
    grid = BEVGrid((-10.0, -8.0, -3.0, 10.0, 8.0, 5.0), (16, 20))
    return BEVFeatures(torch.randn(batch, 16, 16, 20), grid)


def samples(batch: int = 2) -> list[Det3DDataSample]:
    torch.manual_seed(2)
    result = []
    for _ in range(batch):
        sample = Det3DDataSample()
        labels = torch.randint(0, 18, GRID["shape"], dtype=torch.uint8)
        labels[:, 4:, 2:] = 17
        labels[0] = 255
        sample.gt_occupancy = BaseDataElement(
            semantics=labels, mask_camera=labels > 3, mask_lidar=torch.rand(GRID["shape"]) < 0.5
        )
        result.append(sample)
    return result


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_learns_a_batch(decoder: str) -> None:
    model, given, truth = head(decoder), features(), samples()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    first = None
    for _ in range(60):
        total = torch.stack(list(model.loss(model(given), truth).values())).sum()
        first = total.item() if first is None else first
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert total.item() < 0.7 * first
    predicted = model.predict(model(given), truth)
    assert [tuple(volume.shape) for volume in predicted] == [GRID["shape"]] * 2
    assert predicted[0].dtype == torch.uint8


@pytest.mark.parametrize("decoder", ["height", "split"])
def test_a_share_of_the_cells_is_a_part_of_the_whole(decoder: str) -> None:
    model, given, truth = head(decoder), features(), samples()
    split = model.cell_split
    whole = model(given).logits[0]
    model.trained_share = 0.25
    part = model(given)
    assert part.columns is not None
    assert len(part.columns) == len(set(part.columns.tolist())) == 16 * 8 / 4
    torch.testing.assert_close(part.logits[0], whole.flatten(1, 2)[:, part.columns])
    cells = {(x // split, y // split) for x, y in ((n // 8, n % 8) for n in part.columns.tolist())}
    assert len(cells) == len(part.columns) / split**2
    labels = torch.stack([sample.gt_occupancy.semantics for sample in truth]).flatten(1, 2)[:, part.columns]
    losses = model.loss(part, truth)
    known = labels != 255
    expected = model.losses[0](part.logits[0][known], labels[known].long())
    torch.testing.assert_close(losses["loss_cross_entropy"], expected)
    assert model.eval()(given).columns is None
    assert model.predict(model(given), truth)[0].shape == GRID["shape"]


def test_x_runs_along_columns_of_the_map() -> None:
    model = head("height")
    given = features(1)
    given.map.requires_grad_()
    model(given).logits[0][0, 12, 2].sum().backward()
    touched = given.map.grad.abs().sum((0, 1)).nonzero().float().mean(0)
    row, column = touched.tolist()
    x, y = given.grid.to_metres(torch.tensor([column + 0.5, row + 0.5])).tolist()
    assert x == pytest.approx(-8 + 12.5, abs=0.7)
    assert y == pytest.approx(-4 + 2.5, abs=0.7)


def test_batches_are_their_samples() -> None:
    model = head("fine").eval()
    both = model(features()).logits[0]
    for b in range(2):
        single = BEVFeatures(features().map[b : b + 1], features().grid)
        torch.testing.assert_close(model(single).logits[0][0], both[b], rtol=1e-5, atol=1e-5)


def test_coarser_labels() -> None:
    labels = torch.full((1, 4, 2, 2), 17)
    labels[0, 0, 0, 0] = 4
    labels[0, 2:] = 255
    labels[0, 2, 0, 0] = 17
    mask = labels == 4
    coarse = coarser(VoxelTargets(labels, mask, mask), free=17)
    assert coarse.semantics.flatten().tolist() == [4, 17]
    assert coarse.camera.flatten().tolist() == [True, False]
    unknown = torch.full((1, 2, 2, 2), 255)
    assert coarser(VoxelTargets(unknown, mask[:, :2], mask[:, :2]), free=17).semantics.item() == 255


def test_free_space_is_the_last_class_of_other_classes_too() -> None:
    labels = torch.full((1, 2, 2, 2), 4)
    labels[0, 0, 0, 0] = 2
    mask = labels == 2
    assert coarser(VoxelTargets(labels, mask, mask), free=4).semantics.item() == 2


def test_labels_beyond_the_classes_name_the_sample() -> None:
    wrong = samples()
    wrong[1].gt_occupancy.semantics[0, 0, 0] = 18
    with pytest.raises(InputError, match="number 1: occupancy label 18 does not fit a head of 18 classes"):
        head("fine").loss(head("fine")(features()), wrong)


def test_losses_of_right_answers_are_small() -> None:
    labels = torch.arange(18).repeat(5)
    right = 30.0 * torch.nn.functional.one_hot(labels, 18).float()
    wrong = right.roll(1, dims=1)
    for loss in (VoxelCrossEntropy(), LovaszSoftmax(), SceneClassAffinity("geometric"), SceneClassAffinity("semantic")):
        assert loss(right, labels).item() == pytest.approx(0.0, abs=1e-4)
        assert loss(wrong, labels).item() > 0.02
        assert loss(right[:0], labels[:0]).item() == 0.0


def test_lovasz_of_hard_answers_is_one_minus_iou() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    answers = torch.tensor([0, 1, 0, 1, 1, 1, 0, 1])
    logits = 100.0 * torch.nn.functional.one_hot(answers, 2).float()
    iou = [2 / 4, 4 / 6]
    assert LovaszSoftmax()(logits, labels).item() == pytest.approx(1 - sum(iou) / 2, abs=1e-5)


@pytest.mark.parametrize("bins", [1, 16, 1024])
def test_lovasz_of_counted_errors_is_that_of_sorted_ones_to_a_bin(bins: int) -> None:
    generator = torch.Generator().manual_seed(bins)
    logits = 3 * torch.randn(500, 6, generator=generator)
    labels = torch.randint(4, (500,), generator=generator)
    losses, gradients = [], []
    for loss in (LovaszSoftmax(), LovaszSoftmax(bins=bins)):
        leaf = logits.clone().requires_grad_()
        losses.append(loss(leaf, labels))
        losses[-1].backward()
        gradients.append(leaf.grad)
    assert abs(losses[0] - losses[1]) <= 1 / bins
    if bins == 1024:
        torch.testing.assert_close(*gradients, rtol=0, atol=2e-4)


def test_lovasz_slopes_by_hand() -> None:
    # One class: errors .9 (its own voxel), .6 (another's), .1 (its own). The Jaccard loss after each is 1/2, 2/3, 1.
    probability = torch.tensor([0.1, 0.6, 0.9])
    logits = torch.stack([probability, 1 - probability], 1).log()
    # Class 1 has the same errors, .6 its only voxel: 0.9 other, .6 own, .1 other: 1/2, 1, 1.
    expected = ((0.9 / 2 + 0.6 / 6 + 0.1 / 3) + (0.9 / 2 + 0.6 / 2)) / 2
    for loss in (LovaszSoftmax(), LovaszSoftmax(bins=1000)):
        for dtype in (torch.float32, torch.float64):
            assert loss(logits.to(dtype), torch.tensor([0, 1, 0])).item() == pytest.approx(expected, abs=1e-6)


def test_lovasz_refuses_bins_that_are_none() -> None:
    with pytest.raises(ValueError, match="bins must be positive"):
        LovaszSoftmax(bins=0)


def test_missing_and_misshapen_labels_name_the_sample() -> None:
    model, outputs = head("height"), head("height")(features(1))
    with pytest.raises(ValueError, match="sample number 0 has no gt_occupancy"):
        model.loss(outputs, [Det3DDataSample()])
    sample = samples(1)[0]
    sample.gt_occupancy.semantics = torch.zeros(2, 2, 2)
    with pytest.raises(ValueError, match="the head's voxels are"):
        model.loss(outputs, [sample])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "VoxelCrossEntropy", "mask": "radar"}, "'camera' or 'lidar', not 'radar'"),
        ({"type": "VoxelCrossEntropy", "class_counts": [5, 1]}, "at least 2 for every class"),
        ({"type": "SceneClassAffinity", "kind": "both"}, "'geometric' or 'semantic', not 'both'"),
        ({**DECODERS["volume"], "in_channels": 18}, "in_channels must be a multiple of heights"),
        ({**DECODERS["fine"], "refined": 0.0}, "refined in"),
        ({**HEAD, "cell_split": 3}, "does not divide"),
        ({**HEAD, "trained_share": 0.5}, "needs the decoder ChannelToHeight"),
        ({**HEAD, "trained_share": 0.0}, "trained_share must be in"),
    ],
)
def test_options_that_do_not_fit_are_refused(config: dict, message: str) -> None:
    bev.register_all()
    with pytest.raises(InputError, match=message):
        MODELS.build(config)


def test_an_odd_map_cannot_be_halved() -> None:
    bev.register_all()
    with pytest.raises(InputError, match=r"even height and width, not \(5, 8\)"):
        MODELS.build(DECODERS["fine"])(torch.zeros(1, 16, 5, 8))
