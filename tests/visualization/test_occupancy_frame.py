from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, COLOURS, FREE, GRID
from bev.geometry.cameras import image_affine, pix_T_cam, project
from bev.visualization import draw_occupancy
from bev.visualization.layout import GAP, legend, row_sizes
from bev.visualization.occupancy_frame import EGO_LABEL, LEGEND, with_ego
from bev.visualization.palette import PANEL
from bev.visualization.voxels import FACE_SHADES

CAR, BUS = CLASSES.index("car"), CLASSES.index("bus")
WIDTH, ASPECT = 900, 16 / 9
PLACE = (120, 96, 6)  # x 8.0 .. 8.4, y -1.6 .. -1.2, z 1.4 .. 1.8 m
PROJECTION = pix_T_cam(np.array([[800.0, 0, 800], [0, 800, 450], [0, 0, 1]])) @ np.array(
    [[0, -1.0, 0, 0], [0, 0, -1, 1.5], [1, 0, 0, 0], [0, 0, 0, 1]]
)
IMAGES = {name: np.full((900, 1600, 3), 77, np.uint8) for name in ("CAM_BACK", "CAM_FRONT", "SIDE")}
PROJECTIONS = dict.fromkeys(IMAGES, np.eye(4)) | {"CAM_FRONT": PROJECTION}


def voxels(label: int) -> np.ndarray:
    grid = np.full(GRID.shape, FREE, np.uint8)
    grid[PLACE] = label
    return grid


def test_the_drivers_view_lines_up_with_the_front_image() -> None:
    """Prediction left and truth right of the front camera, each voxel where `project` puts it in the image."""
    picture = draw_occupancy(IMAGES, PROJECTIONS, voxels(BUS), voxels(CAR), width=WIDTH)
    top = row_sizes([ASPECT] * 3, WIDTH)[0][0] + GAP
    (height, width), *_ = sizes = row_sizes([ASPECT] * 3, WIDTH)
    to_cell = image_affine(scale=(width / 1600, height / 900))
    pixel, _ = project(to_cell @ PROJECTION, np.array([[8.0, -1.4, 1.6]]))
    column, row = pixel[0].astype(int)
    starts = np.cumsum([0] + [size[1] + GAP for size in sizes])
    for start, label in ((starts[0], BUS), (starts[2], CAR)):
        expected = FACE_SHADES[0] * np.array(COLOURS[label])
        np.testing.assert_allclose(picture[top + row, start + column], expected, atol=1)
    assert (picture[top + height // 2, starts[1] + 40 : starts[2] - 40] == 77).all()


@pytest.mark.parametrize(("prediction", "truth"), [(BUS, CAR), (BUS, None), (None, CAR)])
def test_parts_that_are_not_there_leave_no_hole(prediction: int | None, truth: int | None) -> None:
    grids = [None if label is None else voxels(label) for label in (prediction, truth)]
    picture = draw_occupancy(IMAGES, PROJECTIONS, *grids, title="x", width=WIDTH)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == WIDTH
    assert picture.shape[0] % 2 == 0
    for label, grid in ((BUS, grids[0]), (CAR, grids[1])):
        views = picture[: -len(legend(WIDTH, LEGEND)) - 1]
        front = (np.abs(views - FACE_SHADES[0] * np.array(COLOURS[label])).max(axis=2) < 1).sum()
        assert (front > 20) == (grid is not None)


def test_a_missing_camera_is_a_dark_cell_and_the_size_stays() -> None:
    whole = draw_occupancy(IMAGES, PROJECTIONS, voxels(CAR), width=WIDTH)
    for missing in IMAGES:
        images = {name: image for name, image in IMAGES.items() if name != missing}
        picture = draw_occupancy(images, PROJECTIONS, voxels(CAR), width=WIDTH, cameras=tuple(IMAGES))
        assert picture.shape == whole.shape
        sizes = row_sizes([ASPECT] * 3, WIDTH)
        column = ("CAM_FRONT", "CAM_BACK", "SIDE").index(missing) * (sizes[0][1] + GAP) + sizes[0][1] // 2
        assert tuple(picture[sizes[0][0] // 2, column]) == PANEL


def test_frames_have_one_size_whatever_is_in_them() -> None:
    full = np.random.default_rng(0).integers(0, 18, GRID.shape, dtype=np.uint8)
    sizes = {draw_occupancy(IMAGES, PROJECTIONS, grid, grid, width=301).shape for grid in (full, voxels(CAR))}
    assert len(sizes) == 1
    assert sizes.pop()[1] == 302


def test_the_legend_has_all_classes_and_their_colours() -> None:
    assert list(LEGEND)[:-1] == list(CLASSES[:FREE])
    picture = draw_occupancy({}, {}, None, voxels(CAR), width=WIDTH)
    strip = picture[-len(legend(WIDTH, LEGEND)) :]
    for name, colour in LEGEND.items():
        assert (strip == colour).all(axis=2).sum() >= 100, name


def test_the_vehicle_is_marked_in_birds_eye_view_alone() -> None:
    marked = with_ego(voxels(CAR))
    places = GRID.centres()[marked == EGO_LABEL]
    assert (marked != voxels(CAR)).sum() == len(places) > 100
    assert places.min(axis=0) == pytest.approx([-0.6, -0.6, 0.4])
    assert places.max(axis=0) == pytest.approx([3.0, 0.6, 1.6])


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a prediction nor a ground truth"):
        draw_occupancy(IMAGES, PROJECTIONS, None, None)
