from __future__ import annotations

import bev  # noqa: F401  (first: it lets mmdet3d import without mmcv's compiled extension)

# isort: split
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor
from two_cameras import make_features, two_camera_clip

from bev.models.heads import ImageLaneHead
from bev.models.heads.perspective.image_lane_head import cells_passed, lanes_in_images
from bev.structures import CameraClip

AHEAD = ((0.0, 2.0, -1.0), (0.0, 10.0, -1.0))
TO_THE_RIGHT = ((-5.0, 5.0, -1.0), (5.0, 5.0, -1.0))
BACKWARDS = ((0.0, -3.0, -1.0), (0.0, -10.0, -1.0))
AWAY, LEFT, NEARER, RIGHT = range(4)


def lanes(*ends: tuple[tuple[float, float, float], tuple[float, float, float]], num_points: int = 11) -> Tensor:
    """Straight lanes (n, num_points, 3)."""
    begin, end = torch.tensor(ends, dtype=torch.float32).view(-1, 2, 1, 3).unbind(1)
    return torch.lerp(begin, end, torch.linspace(0, 1, num_points)[:, None])


def sample(*ends: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Det3DDataSample:
    found = Det3DDataSample(metainfo={"sample_token": "a-token"})
    found.gt_lanes = BaseDataElement(lanes=lanes(*ends))
    return found


def marked(clip: CameraClip, *per_sample: Tensor) -> Tensor:
    """(P, 4, 8, 16) cells of stride 4 that lanes pass."""
    found = lanes_in_images(per_sample, clip, num_headings=4, min_depth=0.5)
    return cells_passed(found, (int(clip.camera_mask[:, clip.current].sum()), 4, 8, 16), clip.padded_size)


def test_cells_and_headings_by_hand() -> None:
    passed = marked(two_camera_clip(), lanes(AHEAD, TO_THE_RIGHT))
    # The road is 1 m below the camera of focal length 40: at 2.5 m it leaves the image, 10 m are 4 pixels below its
    # middle and 5 m are 8 pixels below.
    assert passed[0, AWAY].nonzero().tolist() == [[5, 8], [6, 8], [7, 8]]
    assert passed[0, RIGHT].nonzero().tolist() == [[6, column] for column in range(16)]
    assert passed.sum() == 3 + 16


def test_headings_do_not_depend_on_the_camera() -> None:
    passed = marked(two_camera_clip(), lanes(AHEAD, BACKWARDS))
    assert passed[0].flatten(1).any(1).tolist() == [True, False, False, False]
    assert passed[1].flatten(1).any(1).tolist() == [True, False, False, False]
    reverse = marked(two_camera_clip(), lanes(AHEAD[::-1], TO_THE_RIGHT[::-1]))
    assert reverse[0].flatten(1).any(1).tolist() == [False, True, True, False]
    assert torch.equal(reverse[0, NEARER], passed[0, AWAY])


def test_lanes_show_where_the_images_do_when_the_bev_frame_is_mirrored() -> None:
    clip = two_camera_clip(batch_size=2)
    clip.bev_augmentation[1, 0, 0] = -1
    mirrored = lanes(TO_THE_RIGHT) * torch.tensor([-1.0, 1.0, 1.0])
    passed = marked(clip, lanes(TO_THE_RIGHT), mirrored)
    assert passed[0].any()
    assert torch.equal(passed[:2], passed[2:])


def test_absent_cameras_and_padding_show_no_lane() -> None:
    clip = two_camera_clip(batch_size=2)
    clip.camera_mask[0, 1, 0] = False
    clip.image_sizes[1, 1, 0] = torch.tensor([32, 20])
    passed = marked(clip, lanes(TO_THE_RIGHT), lanes(TO_THE_RIGHT))
    # Images in order: camera 1 of sample 0, cameras 0 and 1 of sample 1.
    assert passed.flatten(1).any(1).tolist() == [False, True, False]
    assert passed[1, RIGHT].nonzero().tolist() == [[6, column] for column in range(5)]


def test_learns_where_lanes_are() -> None:
    torch.manual_seed(0)
    features = make_features(two_camera_clip())
    samples = [sample(AHEAD, TO_THE_RIGHT, BACKWARDS)]
    head = ImageLaneHead(embed_dims=8, levels=(0, 1), num_headings=4)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-2)
    first = head.loss(head(features), samples)
    for _ in range(60):
        optimizer.zero_grad()
        losses = head.loss(head(features), samples)
        losses["loss_passed"].backward()
        optimizer.step()
    assert losses.keys() == {"loss_passed"}
    assert losses["loss_passed"] < 0.3 * first["loss_passed"]
    assert head.predict(head(features), samples) is None


def test_no_lanes_at_all_are_learned_from() -> None:
    head = ImageLaneHead(embed_dims=8)
    nothing = sample()
    losses = head.loss(head(make_features(two_camera_clip())), [nothing])
    assert losses["loss_passed"] > 0
    losses["loss_passed"].backward()


def test_bad_input_is_named() -> None:
    head = ImageLaneHead(embed_dims=8)
    unknown = Det3DDataSample(metainfo={"sample_token": "a-token"})
    with pytest.raises(ValueError, match="sample a-token has no gt_lanes"):
        head.loss(head(make_features(two_camera_clip())), [unknown])
    with pytest.raises(ValueError, match=r"ImageLaneHead supervises the feature levels \(0, 2\), but got only 2"):
        ImageLaneHead(embed_dims=8, levels=(0, 2))(make_features(two_camera_clip()))
