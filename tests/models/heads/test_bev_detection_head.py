from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from bev.geometry.grid import BEVGrid
from bev.models.decoders.queries import Queries
from bev.models.heads import BEVDetectionHead, DetectionOutputs
from bev.structures import BEVFeatures

GRID = BEVGrid((-16.0, -16.0, -5.0, 16.0, 16.0, 3.0), (24, 24))
CHANNELS = 32


def small_head(
    queries: str = "HeatmapQueries", num_groups: int = 1, num_queries: int = 16, **options
) -> BEVDetectionHead:
    torch.manual_seed(0)
    initialisation = {"type": queries, "embed_dims": CHANNELS, "num_queries": num_queries, "num_groups": num_groups}
    if queries == "HeatmapQueries":
        initialisation["num_classes"] = 10
    decoder = {
        "type": "DETRDecoder",
        "queries": initialisation,
        "num_layers": 2,
        "embed_dims": CHANNELS,
        "num_heads": 4,
    }
    return BEVDetectionHead(10, decoder={**decoder, "feedforward_channels": 64, "dropout": 0.0}, **options)


def random_boxes(count: int) -> tuple[Tensor, Tensor]:
    """Boxes (M, 9) inside the grid, bottom centre, and labels (M,)."""
    boxes = torch.rand(count, 9)
    scale = torch.tensor([30.0, 30.0, 2.0, 3.0, 3.0, 3.0, 6.0, 4.0, 4.0])
    shift = torch.tensor([-15.0, -15.0, -2.0, 1.0, 1.0, 1.0, -3.0, -2.0, -2.0])
    return boxes * scale + shift, torch.randint(0, 10, (count,))


def features(batch_size: int = 1) -> BEVFeatures:
    return BEVFeatures(torch.randn(batch_size, CHANNELS, 24, 24), GRID)


@pytest.mark.parametrize("num_groups", [1, 3])
def test_learns_one_sample_in_seconds(make_sample, num_groups: int) -> None:
    head = small_head(num_groups=num_groups, num_queries=24)
    bev, sample = features(), make_sample(*random_boxes(8))
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(head.loss(head(bev), [sample]).values()).backward()
        optimizer.step()
    detections = head.eval().predict(head(bev), [sample])[0]
    sure = detections.scores_3d > 0.5
    truth = sample.gt_instances_3d
    distances = torch.cdist(truth.bboxes_3d.gravity_center, detections.bboxes_3d.gravity_center[sure])
    nearest = distances.argmin(1)
    assert int(sure.sum()) == 8
    assert distances.min(1).values.max() < 0.5
    assert torch.equal(detections.labels_3d[sure][nearest], truth.labels_3d)


@pytest.mark.parametrize("queries", ["HeatmapQueries", "LearnedQueries"])
def test_a_batch_gives_what_its_samples_give_alone(queries: str) -> None:
    head, bev = small_head(queries).eval(), features(batch_size=2)
    together = head(bev)
    for sample in range(2):
        alone = head(BEVFeatures(bev.map[sample : sample + 1], GRID))
        torch.testing.assert_close(together.logits[:, sample], alone.logits[:, 0], atol=1e-5, rtol=0)
        torch.testing.assert_close(together.codes[:, sample], alone.codes[:, 0], atol=1e-4, rtol=0)


def test_first_predictions_are_the_proposals() -> None:
    head = small_head()
    outputs = head(features())
    queries = outputs.queries
    centres = torch.stack([outputs.codes[-1, ..., i] for i in (0, 1, 4)], -1)
    torch.testing.assert_close(centres, GRID.denormalise(queries.reference), atol=1e-3, rtol=0)
    torch.testing.assert_close(outputs.codes[-1, ..., 5:], queries.code_prior[..., 5:])


def test_every_parameter_has_a_gradient_with_and_without_objects(make_sample) -> None:
    for samples in (
        [make_sample(*random_boxes(3)), make_sample(*random_boxes(0))],
        [make_sample(*random_boxes(0))] * 2,
    ):
        head = small_head(num_groups=2)
        losses = head.loss(head(features(2)), samples)
        expected = {"loss_cls", "loss_bbox", "d0.loss_cls", "d0.loss_bbox", "loss_heatmap", "loss_proposal"}
        assert losses.keys() == expected
        sum(losses.values()).backward()
        without = [name for name, parameter in head.named_parameters() if parameter.grad is None]
        assert not without
        assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_unknown_velocity_leaves_the_rest_of_the_box_supervised(make_sample) -> None:
    head, (boxes, labels) = small_head(), random_boxes(1)
    boxes[:, 7:] = float("nan")
    outputs = head(features())
    outputs.codes.retain_grad()
    losses = head.loss(outputs, [make_sample(boxes, labels)])
    losses["loss_bbox"].backward()
    touched = outputs.codes.grad[-1].abs().sum((0, 1)) > 0
    assert touched.tolist() == [True] * 8 + [False] * 2


def test_code_weights_and_losses_are_configurable(make_sample) -> None:
    sample, bev = make_sample(*random_boxes(2)), features()
    losses = {}
    for weight in (0.25, 0.5):
        head = small_head(
            box_loss={"kind": "l1", "weight": weight}, class_loss={"weight": 0.0}, code_weights=[1.0] * 10
        )
        losses[weight] = head.loss(head(bev), [sample])
    assert losses[0.5]["loss_cls"].item() == 0
    torch.testing.assert_close(losses[0.5]["loss_bbox"], 2 * losses[0.25]["loss_bbox"])


def test_only_the_first_group_predicts() -> None:
    head = small_head(num_groups=3, num_queries=4)
    outputs = head(features())
    outputs.logits[:, :, 4:] += 50
    assert head.predict(outputs, [])[0].scores_3d.max() < 0.5


def test_limits_of_the_decoding() -> None:
    logits, codes = torch.full((3, 2), -10.0), torch.zeros(3, 10)
    logits[0, 1], logits[1, 0], logits[2, 0] = 2.0, 1.0, 3.0
    codes[:, 0] = torch.tensor([5.0, 20.0, 70.0])
    outputs = DetectionOutputs(
        logits[None, None], codes[None, None], dataclasses.replace(small_head()(features()).queries)
    )
    head = small_head(max_num=4, centre_range=(-60, -60, -10, 60, 60, 10), score_threshold=0.5)
    found = head.predict(outputs, [])[0]
    assert found.labels_3d.tolist() == [1, 0]
    torch.testing.assert_close(found.scores_3d, torch.tensor([2.0, 1.0]).sigmoid())
    torch.testing.assert_close(found.bboxes_3d.gravity_center[:, 0], torch.tensor([5.0, 20.0]))
    torch.testing.assert_close(found.bboxes_3d.tensor[:, 2], torch.tensor([-0.5, -0.5]))  # bottom of a box 1 m high
    everything = small_head(centre_range=None).predict(outputs, [])[0]
    assert len(everything.scores_3d) == 6


def test_bad_predictions_and_ground_truth_are_refused(make_sample) -> None:
    head = small_head()
    outputs = head(features())
    boxes, labels = random_boxes(2)
    with pytest.raises(ValueError, match=r"sample a-token: labels \[3, 10\] do not fit a head of 10 classes"):
        head.loss(outputs, [make_sample(boxes, torch.tensor([3, 10]))])
    with pytest.raises(ValueError, match="sample a-token: boxes have 7 numbers"):
        head.loss(outputs, [make_sample(boxes[:, :7], labels)])
    outputs.codes[-1, 0, 0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match="predictions are not finite"):
        head.predict(outputs, [])


def test_bfloat16_autocast(make_sample) -> None:
    head, bev, sample = small_head(), features(), make_sample(*random_boxes(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = head(bev)
        losses = head.loss(outputs, [sample])
    assert outputs.codes.dtype == torch.float32
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())


def test_references_that_16_bits_round_to_the_border_can_be_moved() -> None:
    head, states = small_head().eval(), torch.zeros(1, 1, CHANNELS)
    reference = torch.tensor([[[0.999, 0.001, 0.5]]]).bfloat16()
    queries = Queries(states, states, reference, num_groups=1)
    _, centre = head._predict_layer(0, states, reference, queries, GRID)
    assert ((centre > 0) & (centre < 1)).all()
    torch.testing.assert_close(centre, reference.float(), atol=1e-4, rtol=0)
