"""The live model gives what offline evaluation gives, and computes nothing twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import checkpoint_of, offline, offline_samples, small_config
from tiny_nuscenes import write_pictures, write_tables

import bev
from bev.datasets.nuscenes.classes import CAMERAS
from bev.datasets.nuscenes.index_build import build_indexes
from bev.engine.config import load_config
from bev.engine.data_config import bev_frame, evaluated_dataset, set_data_root
from bev.errors import InputError
from bev.geometry import invert_pose
from bev.inference import GreedyTracker, StreamingPerceptor
from bev.inference.sources import IndexReplay, StepInput

CONFIGS = Path(__file__).parents[2] / "configs"
INDEX = "nuscenes_infos_mini_val.pkl"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes with pictures and an index."""
    bev.register_all()
    root = write_tables(tmp_path_factory.mktemp("nuscenes"))
    build_indexes(root, "v1.0-mini")
    return write_pictures(root)


def live(root: Path, folder: Path, kind: str, **options) -> StreamingPerceptor:
    config = small_config(root, root / INDEX, kind)
    return StreamingPerceptor(config, checkpoint_of(config, folder), **options)


def moments(root: Path) -> list[StepInput]:
    return list(IndexReplay(root / INDEX, root))


# Slots of the data set's two cameras, as offline evaluation has them: the default would be all six of nuScenes.
SLOTS = ("CAM_FRONT", "CAM_BACK")


def test_a_model_of_the_vehicle_frame_needs_no_labels(root: Path, tmp_path: Path) -> None:
    """Its test pipeline loads occupancy, which a stream doesn't have, and its boxes stand in another frame."""
    config = small_config(root, root / INDEX, "t1")
    config.test_dataloader.dataset.bev_frame = "ego"
    checkpoint = checkpoint_of(config, tmp_path)
    expected = offline(config, checkpoint, count=2)
    config.test_dataloader.dataset.update(occupancy=True)
    config.test_dataloader.dataset.pipeline.insert(1, dict(type="LoadOccupancy"))
    perceptor = StreamingPerceptor(config, checkpoint, cameras=SLOTS)
    recorded = islice(IndexReplay(root / INDEX, root, bev_frame=perceptor.bev_frame), 2)
    for moment, (boxes, scores) in zip(recorded, expected, strict=True):
        found = perceptor.step(**{**moment.arguments(), "ego_T_bev": None})
        np.testing.assert_allclose(found.scores, scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes_bev, boxes, atol=1e-4)


def test_the_bev_frame_is_that_of_the_data_set() -> None:
    for name, frame in (
        ("bevformerv2_internimage_t", "lidar"),
        ("multitask_internimage_nano_synthetic", "ego"),
        ("bevformerv2_internimage_nano_waymo_synthetic", "ego"),
    ):
        assert bev_frame(evaluated_dataset(load_config(CONFIGS / f"{name}.py"))) == frame


@pytest.mark.parametrize("kind", ["v1", "t1", "t2", "t3"])
def test_a_stream_gives_the_boxes_of_offline_evaluation(root: Path, tmp_path: Path, kind: str) -> None:
    config = small_config(root, root / INDEX, kind)
    checkpoint = checkpoint_of(config, tmp_path)
    expected = offline(config, checkpoint)
    perceptor = StreamingPerceptor(config, checkpoint, cameras=IndexReplay(root / INDEX, root).cameras)
    assert len(expected) == len(moments(root)) > 3
    scene = None
    for moment, (boxes, scores) in zip(moments(root), expected, strict=True):
        if scene not in (None, moment.scene):
            perceptor.reset()
        scene = moment.scene
        found = perceptor.step(**moment.arguments())
        np.testing.assert_allclose(found.scores, scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes_bev, boxes, atol=1e-4)


def test_a_stream_of_real_frames_gives_the_boxes_of_offline_evaluation(shared_data: Path, tmp_path: Path) -> None:
    bev.register_all()
    source = shared_data / "nuscenes-mini-val"
    build_indexes(source, "v1.0-mini", out=tmp_path)
    for kind in ("v1", "t2"):
        config = small_config(source, tmp_path / INDEX, kind, size=(64, 160))
        checkpoint = checkpoint_of(config, tmp_path)
        replay = IndexReplay(tmp_path / INDEX, source)
        perceptor = StreamingPerceptor(config, checkpoint, cameras=replay.cameras)
        expected = offline(config, checkpoint, count=2)  # the frames that have pictures
        recorded = islice(replay, 2)
        for moment, (boxes, scores) in zip(recorded, expected, strict=True):
            found = perceptor.step(**moment.arguments())
            np.testing.assert_allclose(found.scores, scores, atol=1e-4)
            np.testing.assert_allclose(found.boxes_bev, boxes, atol=1e-4)


def test_what_every_head_predicts_is_reported(root: Path, tmp_path: Path) -> None:
    """Occupancy, lanes, and traffic elements in pixels of the images as given, as in offline evaluation."""
    config = load_config(CONFIGS / "multitask_lanes_internimage_nano_synthetic.py")
    dataset = config.test_dataloader.dataset
    dataset.update(ann_file=str(root / INDEX), classes=config.classes, occupancy=False, lanes=None)
    dataset.pipeline = [step for step in dataset.pipeline if step["type"] != "LoadOccupancy"]
    set_data_root(config, root)
    checkpoint = checkpoint_of(config, tmp_path)
    expected = offline_samples(config, checkpoint, count=1)[0]
    moment = next(iter(IndexReplay(root / INDEX, root, bev_frame="ego")))
    perceptor = StreamingPerceptor(config, checkpoint, cameras=SLOTS, score_threshold=0.5)
    found = perceptor.step(**{**moment.arguments(), "ego_T_bev": None})
    assert found.sample is not None and len(found) < len(found.sample.pred_instances_3d)
    assert (found.sample.pred_occupancy == expected.pred_occupancy).float().mean() > 0.999
    lanes = found.sample.pred_lanes
    for key in ("lanes", "lane_scores", "traffic_boxes", "traffic_scores", "topology_lclc", "topology_lcte"):
        torch.testing.assert_close(getattr(lanes, key), getattr(expected.pred_lanes, key), atol=1e-3, rtol=1e-3)
    assert lanes.traffic_boxes.numel()


def test_every_image_goes_through_the_backbone_once(root: Path, tmp_path: Path) -> None:
    perceptor, seen = live(root, tmp_path, "t3"), []
    perceptor.model.backbone.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    scene = [moment for moment in moments(root) if moment.scene == moments(root)[0].scene]
    for moment in scene:
        perceptor.step(**moment.arguments())
    assert seen == [len(moment.images) for moment in scene]


def test_images_can_be_kept_instead_of_features(root: Path, tmp_path: Path) -> None:
    keeping, again = live(root, tmp_path, "t3"), live(root, tmp_path, "t3", keep_features=False)
    seen = []
    again.model.backbone.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    for moment in moments(root)[:3]:
        expected = keeping.step(**moment.arguments())
        np.testing.assert_allclose(again.step(**moment.arguments()).boxes_bev, expected.boxes_bev, atol=1e-4)
    cameras = len(moments(root)[0].images)
    assert sum(seen) == cameras * (1 + 2 + 3)


def test_a_faster_stream_looks_at_frames_as_far_apart_as_in_training(root: Path, tmp_path: Path) -> None:
    perceptor, slow = live(root, tmp_path, "t2"), live(root, tmp_path, "t2")
    first, second = moments(root)[:2]
    for tick in range(5):  # the same picture at ten per second, then the next one
        perceptor.step(**replace(first, timestamp=first.timestamp + 0.1 * tick).arguments())
    found = perceptor.step(**replace(second, timestamp=first.timestamp + 0.5).arguments())
    slow.step(**first.arguments())
    expected = slow.step(**replace(second, timestamp=first.timestamp + 0.5).arguments())
    np.testing.assert_allclose(found.boxes_bev, expected.boxes_bev, atol=1e-6)
    assert len(perceptor._history) <= 9


def test_scenes_end_by_reset_by_a_pause_and_when_time_runs_backwards(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t2")
    first, second = moments(root)[:2]
    alone = perceptor.step(**second.arguments()).boxes_bev
    for pause in (10.0, -1.0):
        perceptor.reset()
        perceptor.step(**replace(first, timestamp=second.timestamp - pause).arguments())
        np.testing.assert_allclose(perceptor.step(**second.arguments()).boxes_bev, alone, atol=1e-6)
    perceptor.reset()
    perceptor.step(**first.arguments())
    assert np.abs(perceptor.step(**second.arguments()).boxes_bev - alone).max() > 1e-4


def test_late_repeated_and_timeless_steps_are_refused(root: Path, tmp_path: Path) -> None:
    perceptor, undisturbed = live(root, tmp_path, "t2"), live(root, tmp_path, "t2")
    first, second = moments(root)[:2]
    for each in (perceptor, undisturbed):
        each.step(**first.arguments())
    for late in (0.0, 0.01, 0.3):
        with pytest.raises(InputError, match="is not after the last one"):
            perceptor.step(**replace(first, timestamp=first.timestamp - late).arguments())
    with pytest.raises(InputError, match="timestamp is nan; seconds are needed"):
        perceptor.step(**replace(first, timestamp=float("nan")).arguments())
    expected = undisturbed.step(**second.arguments())
    np.testing.assert_array_equal(perceptor.step(**second.arguments()).boxes_bev, expected.boxes_bev)


def test_times_that_are_no_seconds_are_warned_of(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t2")
    first = moments(root)[0]
    with pytest.warns(UserWarning, match="are timestamps in seconds"):
        for tick in range(4):
            perceptor.remember(**replace(first, timestamp=1000.0 * tick).arguments())


def test_a_recurrent_model_keeps_maps_alone(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "v1")
    for moment in moments(root)[:2]:
        perceptor.step(**moment.arguments())
    for frame in perceptor._history._frames:
        assert frame.pyramid is None and frame.memory is not None
        assert frame.clip.images.untyped_storage().nbytes() <= 4


def test_a_model_of_other_classes_than_the_data_sets_is_refused(root: Path, tmp_path: Path) -> None:
    config = small_config(root, root / INDEX, "t1")
    config.test_dataloader.dataset.classes = ("car", "truck", "bus")
    with pytest.raises(InputError, match=r"heads\.detection\.num_classes is 10, but the 3 classes of test_dataloader"):
        StreamingPerceptor(config)


def test_missing_cameras_and_dropped_frames(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t2")
    first, second = moments(root)[:2]
    perceptor.step(**first.arguments())
    nothing = perceptor.step(
        **replace(first, images=dict.fromkeys(first.images), timestamp=first.timestamp + 0.2).arguments()
    )
    assert not nothing.valid
    assert len(nothing) == 0
    fewer = {name: image for name, image in second.images.items() if name != "CAM_FRONT"}
    found = perceptor.step(**replace(second, images=fewer).arguments())
    assert found.valid
    assert np.isfinite(found.boxes_global).all()


def test_a_camera_that_comes_late_has_its_own_embedding(root: Path, tmp_path: Path) -> None:
    """Where the front camera is missing at first, the others must not move up into its place."""
    first, second = moments(root)[:2]
    found = {}
    for name, options in (("default", {}), ("named", {"cameras": CAMERAS})):
        perceptor = live(root, tmp_path, "t2", **options)
        late = {camera: image for camera, image in first.images.items() if camera != "CAM_FRONT"}
        found[name] = [perceptor.step(**replace(first, images=late).arguments())]
        found[name].append(perceptor.step(**second.arguments()))
    for default, named in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(default.boxes_bev, named.boxes_bev)


def test_cameras_of_other_names_are_those_that_anything_tells_of(root: Path, tmp_path: Path) -> None:
    moment = moments(root)[0]
    both = moment.arguments()
    for key in ("images", "intrinsics", "cam_T_ego"):
        both[key] = {"a": both[key]["CAM_FRONT"], "b": both[key]["CAM_BACK"]}
    only_b = {**both, "images": {"b": both["images"]["b"]}}
    expected = live(root, tmp_path, "t1", cameras=["a", "b"]).step(**only_b).boxes_bev
    perceptor = live(root, tmp_path, "t1")
    np.testing.assert_array_equal(perceptor.step(**only_b).boxes_bev, expected)
    assert perceptor.step(**{**both, "timestamp": both["timestamp"] + 0.5}).valid


def test_what_a_drive_knew_of_cameras_ends_with_it(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t2")
    moment = moments(root)[0]

    def seen_by(time: float, *names: str) -> dict:
        arguments = moment.arguments()
        for key in ("images", "intrinsics", "cam_T_ego"):
            arguments[key] = dict.fromkeys(names, arguments[key]["CAM_FRONT"])
        return {**arguments, "timestamp": time}

    with pytest.raises(ValueError, match="has shape"):
        perceptor.step(**{**seen_by(0.0, "c"), "images": {"c": np.zeros((2, 2))}})
    perceptor.step(**seen_by(0.0, "b"))
    with pytest.raises(ValueError, match=r"camera a is not one of b: name all in .*, or give their intrinsics"):
        perceptor.step(**seen_by(0.5, "a", "b"))
    assert perceptor.step(**seen_by(60.0, "a", "b")).valid  # after a pause
    perceptor.reset()
    assert perceptor.step(**seen_by(60.5, "c", "d", "e")).valid
    named = live(root, tmp_path, "t2", cameras=["a", "b"])
    named.step(**seen_by(0.0, "b"))
    named.reset()
    with pytest.raises(ValueError, match="camera c is not one of a, b"):
        named.step(**seen_by(1.0, "c"))
    many = [f"camera_{number}" for number in range(7)]
    with pytest.raises(ValueError, match=r"cameras are camera_0, .* the model was built for at most 6: name those"):
        live(root, tmp_path, "t2").step(**seen_by(0.0, *many))


def test_arrays_tensors_and_lists_are_the_same(root: Path, tmp_path: Path) -> None:
    moment = moments(root)[0]
    expected = live(root, tmp_path, "t1", cameras=SLOTS).step(**moment.arguments())
    tensors = {n: torch.from_numpy(i.copy()).permute(2, 0, 1) for n, i in moment.images.items()}
    found = live(root, tmp_path, "t1", cameras=SLOTS).step(**replace(moment, images=tensors).arguments())
    np.testing.assert_array_equal(found.boxes_bev, expected.boxes_bev)
    bgr = {name: image[..., ::-1] for name, image in moment.images.items()}
    found = live(root, tmp_path, "t1", cameras=SLOTS, colour="bgr").step(**replace(moment, images=bgr).arguments())
    np.testing.assert_array_equal(found.boxes_bev, expected.boxes_bev)
    values = {
        key: [table[name] for name in CAMERAS if name in table]
        for key, table in vars(moment).items()
        if isinstance(table, dict)
    }
    found = live(root, tmp_path, "t1").step(**{**moment.arguments(), **values})
    np.testing.assert_array_equal(found.boxes_bev, expected.boxes_bev)


def test_frames_of_the_boxes(root: Path, tmp_path: Path) -> None:
    moment = moments(root)[0]
    found = live(root, tmp_path, "t1").step(**moment.arguments())
    pose = invert_pose(moment.ego_T_global)
    ego = np.concatenate([found.boxes_ego[:, :3], np.ones((len(found), 1))], 1)
    np.testing.assert_allclose((ego @ pose.T)[:, :3], found.boxes_global[:, :3], atol=1e-6)
    assert found.velocities.shape == (len(found), 2)
    assert [entry["name"] for entry in found.as_json()["objects"]] == found.names
    assert len(found.above(2.0)) == 0


def test_what_makes_no_sense_is_refused_and_forgotten(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t2")
    first, second = moments(root)[:2]
    perceptor.step(**first.arguments())
    bad = {**second.images, "CAM_FRONT": np.zeros((10, 10))}
    with pytest.raises(ValueError, match=r"image of camera CAM_FRONT has shape \(10, 10\)"):
        perceptor.step(**replace(second, images=bad).arguments())
    with pytest.raises(ValueError, match="camera CAM_TOP is not one of CAM_FRONT"):
        perceptor.step(**replace(second, images={"CAM_TOP": first.images["CAM_FRONT"]}).arguments())
    with pytest.raises(ValueError, match=r"values outside 0\.\.255"):
        perceptor.step(**replace(second, images={"CAM_FRONT": np.full((4, 4, 3), np.nan)}).arguments())
    with pytest.raises(bev.geometry.CalibrationError):
        perceptor.step(**replace(second, ego_T_global=np.zeros((4, 4))).arguments())
    untouched = live(root, tmp_path, "t2")
    untouched.step(**first.arguments())
    expected = untouched.step(**second.arguments())
    np.testing.assert_allclose(perceptor.step(**second.arguments()).boxes_bev, expected.boxes_bev, atol=1e-6)


def test_future_frames_and_unknown_options_are_refused(root: Path, tmp_path: Path) -> None:
    config = small_config(root, root / INDEX, "t2")
    config.test_dataloader.dataset.frame_offsets = (0, 1)
    with pytest.raises(ValueError, match=r"frame_offsets \(0, 1\) look into the future"):
        StreamingPerceptor(config)
    with pytest.raises(ValueError, match="precision is one of"):
        live(root, tmp_path, "t1", precision="int8")
    with pytest.raises(ValueError, match="colour is 'rgb' or 'bgr', not 'grey'"):
        live(root, tmp_path, "t1", colour="grey")
    with pytest.raises(ValueError, match="a recurrent model has to step through every moment"):
        live(root, tmp_path, "v1").remember(**moments(root)[0].arguments())


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("occupancy_internimage_nano_synthetic", r"occupancy \(OccupancyHead\), perspective \(ImagePlaneHead\)"),
        ("openlane_internimage_nano_synthetic", r"lanes \(LaneTopologyHead\), image_lanes \(ImageLaneHead\)"),
    ],
)
def test_models_that_detect_nothing_are_refused_at_once(name: str, heads: str) -> None:
    with pytest.raises(InputError, match=rf"the config's heads are {heads}.*detection head"):
        StreamingPerceptor(CONFIGS / f"{name}.py")


def test_kept_images_must_not_change_their_size(root: Path, tmp_path: Path) -> None:
    config = small_config(root, root / INDEX, "t2")
    config.test_dataloader.dataset.pipeline[1].update(crop=None, size=None, heights=[48])
    perceptor = StreamingPerceptor(config, checkpoint_of(config, tmp_path), keep_features=False)
    first, second = moments(root)[:2]
    perceptor.step(**first.arguments())
    narrow = {name: image[:, : image.shape[1] // 2] for name, image in second.images.items()}
    with pytest.raises(ValueError, match="the size of the images changed"):
        perceptor.step(**replace(second, images=narrow).arguments())


def test_bfloat16_is_near(root: Path, tmp_path: Path) -> None:
    moment = moments(root)[0]
    exact = live(root, tmp_path, "t1").step(**moment.arguments())
    rough = live(root, tmp_path, "t1", precision="bfloat16").step(**moment.arguments())
    assert abs(rough.scores.max() - exact.scores.max()) < 0.05


def test_tracks_come_with_the_detections(root: Path, tmp_path: Path) -> None:
    perceptor = live(root, tmp_path, "t1", tracker=GreedyTracker())
    found = perceptor.step(**moments(root)[0].arguments())
    assert found.track_ids is not None
    assert len(set(found.track_ids[found.track_ids >= 0])) == (found.track_ids >= 0).sum()
    perceptor.reset()
    again = perceptor.step(**moments(root)[0].arguments())
    assert (again.track_ids >= 0).any()
    assert set(again.track_ids[again.track_ids >= 0]).isdisjoint(found.track_ids)  # objects of another scene


def test_eight_cameras_of_different_sizes_without_names(root: Path, tmp_path: Path) -> None:
    config = small_config(root, root / INDEX, "t2")
    config.model.encoder.num_cameras = 8
    config.test_dataloader.dataset.pipeline[1].update(crop=None, size=None, heights=[48])
    perceptor = StreamingPerceptor(config, checkpoint_of(config, tmp_path))
    generator = np.random.default_rng(0)
    sizes = [(96, 160), (96, 120)] * 4
    intrinsic = np.array([[100.0, 0, 80], [0, 100, 48], [0, 0, 1]])
    looks = [
        np.array([[np.sin(a), -np.cos(a), 0, 0], [0, 0, -1, 1.5], [np.cos(a), np.sin(a), 0, 0], [0, 0, 0, 1]])
        for a in np.arange(8) * np.pi / 4
    ]
    for tick in range(3):
        images = [generator.integers(0, 255, (*size, 3), dtype=np.uint8) for size in sizes]
        if tick == 1:
            images[0::2] = [None] * 4  # now all images are narrow, and those remembered are wide
        found = perceptor.step(images, [intrinsic] * 8, looks, np.eye(4), 0.5 * tick)
        assert np.isfinite(found.boxes_bev).all()
