"""Every tool with files that are missing, empty, cut short, of another kind or hostile, and with no place to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from tool_runs import finish_tool
from tool_world import DAMAGES, INDEX, MARKER, check_refusal, clone, files_below, spoil

NANO = Path(__file__).parents[2] / "projects" / "classification" / "configs" / "internimage_nano_tar.py"
TABLES = "nus/v1.0-mini"
LANES = "ol/openlane_v2_A_infos_train.pkl"
SYNTHETIC = "syn/v1.0-trainval"
DRAWN = "--out drawn --count 1"
MODEL = "--config config.py --checkpoint model.pth"

# What each command reads; a star stands for the first file that fits. OUT is where it writes.
READ: dict[str, tuple[str, ...]] = {
    "create_data nuscenes --root nus --version v1.0-mini --splits splits.json --workers 1 --out OUT": (
        "splits.json", f"{TABLES}/scene.json", f"{TABLES}/sample.json", f"{TABLES}/map.json", f"{TABLES}/sensor.json",
        f"{TABLES}/sample_data.json", f"{TABLES}/sample_annotation.json", f"{TABLES}/calibrated_sensor.json",
    ),
    "create_data occupancy --root syn --workers 1 --out OUT": (
        f"{SYNTHETIC}/ego_pose.json", "syn/samples/LIDAR_TOP/*", "syn/lidarseg/*/*.bin",
    ),
    "create_data synthetic-occupancy --root syn --workers 1": (f"{SYNTHETIC}/scenes/*.json",),
    "create_data synthetic-lanes --root syn --workers 1": (f"{SYNTHETIC}/scenes/*.json", f"{SYNTHETIC}/splits.json"),
    "create_data openlane_v2 --root ol --subset A --workers 1 --out OUT": (
        "ol/data_dict_subset_A.json", "ol/train/00000/info/*[0-9].json", "ol/train/00000/image/*/*.jpg",
    ),
    "create_data openlane_v2 --root ol --subset A --workers 1 --pickles --out OUT": ("ol/data_dict_subset_A_val.pkl",),
    "create_data waymo --root waymo --workers 1 --out OUT": ("waymo/training/*a_*.tfrecord",),
    "evaluate nuscenes --results results.json --root nus --version v1.0-mini --split mini_val --out OUT": (
        "results.json", f"{TABLES}/sample_annotation.json",
    ),
    "evaluate waymo --predictions boxes.bin --ground-truth boxes.bin --metric 3d --out OUT": ("boxes.bin",),
    "evaluate waymo --predictions boxes.bin --ground-truth boxes.bin --config metric.txt --out OUT": ("metric.txt",),
    f"evaluate occupancy --root nus --index {INDEX} --predictions occ --out OUT": (
        INDEX, "occ/*.npz", "nus/gts/*/*/labels.npz",
    ),
    f"evaluate occupancy --root nus --index {INDEX} --most-frequent {INDEX} --out OUT": (INDEX,),
    "evaluate occupancy-labels --labels nus/gts --truth nus/gts --out OUT": ("nus/gts/*/*/labels.npz",),
    f"evaluate openlane_v2 --predictions lanes.pkl --index {LANES} --out OUT": ("lanes.pkl", LANES),
    "submit nuscenes --results results.json --root nus --version v1.0-mini --split mini_val --out OUT": (
        "results.json", f"{TABLES}/scene.json", f"{TABLES}/sample.json",
    ),
    f"submit occupancy --results occ --index {INDEX} --out OUT": (INDEX, "occ/*.npz"),
    "submit openlane_v2 --results lanes.pkl --metadata team.yaml --frames ol/data_dict_subset_A.json --split train "
    "--out OUT": ("lanes.pkl", "team.yaml", "ol/data_dict_subset_A.json"),
    "submit waymo --results boxes.bin --metadata method.yaml --segments segments.txt --out OUT": (
        "boxes.bin", "method.yaml",
    ),
    "track nuscenes --results results.json --root nus --version v1.0-mini --out OUT": (
        "results.json", f"{TABLES}/ego_pose.json",
    ),
    f"visualize nuscenes --root nus --index {INDEX} --results results.json {DRAWN} --camera-width 100 --video OUT": (
        INDEX, "results.json", "nus/samples/CAM_FRONT/*-0-*",
    ),
    f"visualize nuscenes --root nus --index {INDEX} --scalars train --camera-width 100 --count 1 --out OUT": (
        "train/first/vis_data/scalars.json",
    ),
    "visualize waymo --root waymo --index waymo/waymo_infos_training.pkl --results boxes.bin --camera-width 100 "
    "--count 1 --out OUT": ("waymo/waymo_infos_training.pkl", "boxes.bin"),
    f"visualize occupancy --root nus --index {INDEX} --results occ --width 300 --count 1 --out OUT": (
        INDEX, "occ/*.npz", "nus/gts/*/*/labels.npz",
    ),
    f"visualize openlane_v2 --root ol --index {LANES} --results lanes.pkl --width 300 --count 1 --out OUT": (
        LANES, "lanes.pkl", "ol/train/00000/image/*/*.jpg",
    ),
    f"demo index --root nus --index {INDEX} {MODEL} --max-frames 1 --out OUT": ("config.py", "model.pth", INDEX),
    f"demo images calibration.json {MODEL} --out OUT": ("calibration.json", "photo.jpg"),
    f"demo videos calibration.json {MODEL} --out OUT": ("film.mp4",),
    "ensemble nuscenes --results results.json results.json --out OUT": ("results.json",),
    "ensemble waymo --results boxes.bin boxes.bin --out OUT": ("boxes.bin",),
    "convert_checkpoint internimage official.pth OUT": ("official.pth",),
    f"extract_features photo.jpg --config {NANO} --checkpoint official.pth --layers stage1 --out OUT": (
        "photo.jpg", "official.pth",
    ),
    "compare config.py --seeds 0 --work-dir compared": ("compared/config/seed0/test/test_metrics.json",),
    "benchmark model config.py": ("config.py",),
    f"benchmark occupancy-pictures --root nus --index {INDEX} --results occ --rounds 1 --width 200 --no-reference": (
        INDEX, "occ/*.npz",
    ),
    f"benchmark ray-iou --root nus --index {INDEX} --frames 1 --json OUT": (INDEX, "nus/gts/*/*/labels.npz"),
    "benchmark waymo-index --root waymo --workers 1 --rounds 1 --json OUT": ("waymo/training/*a_*.tfrecord",),
}  # fmt: skip
HARMLESS = {
    # Pictures are looked at for their size, which a header tells.
    ("create_data", "ol/train/00000/image/*/*.jpg", "half"),
    ("create_data", "ol/train/00000/image/*/*.jpg", "picture"),
    # What is not there is not in the data set.
    ("create_data", "waymo/training/*a_*.tfrecord", "missing"),
    ("benchmark", "waymo/training/*a_*.tfrecord", "missing"),
    ("evaluate", "nus/gts/*/*/labels.npz", "missing"),
    ("visualize", "train/first/vis_data/scalars.json", "missing"),
    # The tool would run the evaluation again.
    ("compare", "compared/config/seed0/test/test_metrics.json", "missing"),
    # A picture is what these want.
    ("demo", "photo.jpg", "picture"),
    ("demo", "film.mp4", "picture"),
    ("extract_features", "photo.jpg", "picture"),
}
NAMED = {"syn/lidarseg/*/*.bin": "lidarseg", f"{SYNTHETIC}/scenes/*.json": "scenes"}  # where a folder is what is named
KEPT = (".waymo_infos-", ".openlane_v2-", "drawn/", ".png")  # finished parts, from which a second run goes on


def words_of(line: str, out: str) -> list[str]:
    return [word.replace("OUT", out) for word in line.split()]


def short(line: str) -> str:
    return "-".join(line.split()[:2]).removesuffix(".py")


def left_behind(place: Path, before: set[str]) -> set[str]:
    """New files, but for finished parts."""
    return {name for name in files_below(place) - before if not any(part in name for part in KEPT)}


CASES = [(line, file) for line, files in READ.items() for file in files]


@pytest.mark.parametrize(("line", "file"), CASES, ids=[f"{short(line)}-{Path(file).name}" for line, file in CASES])
def test_damaged_files(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, file: str) -> None:
    for damage in DAMAGES:
        if (line.split()[0], file, damage) in HARMLESS:
            continue
        place = clone(world, tmp_path / damage)
        monkeypatch.chdir(place)
        spoiled = min(place.glob(file))
        spoil(spoiled, damage)
        before = files_below(place)
        check_refusal(finish_tool(*words_of(line, "out")), NAMED.get(file, spoiled.name))
        assert not left_behind(place, before), damage
        assert not (place / MARKER).exists(), damage


WRITING = [line for line in READ if "OUT" in line]


@pytest.mark.parametrize("line", WRITING, ids=map(short, WRITING))
def test_no_place_to_write_to(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    place = clone(world, tmp_path / "place")
    monkeypatch.chdir(place)
    before = files_below(place)
    check_refusal(finish_tool(*words_of(line, "file/out")), "file")
    assert not left_behind(place, before)
    assert (place / "file").read_text() == "where a folder is asked for"


@pytest.mark.parametrize("line", READ, ids=map(short, READ))
def test_a_second_run_leaves_the_same(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    place = clone(world, tmp_path / "place")
    monkeypatch.chdir(place)
    results = []
    for _ in range(2):
        finished = finish_tool(*words_of(line, "out"))
        assert finished.status == 0, finished.err
        assert "Traceback" not in finished.err
        results.append(files_below(place))
    assert results[0] == results[1]
    assert not [name for name in results[1] if name.endswith(".tmp") or ".part" in name]


WAYMO, NUSCENES = "waymo/waymo_infos_training.pkl", INDEX
OTHERS = (
    (f"visualize nuscenes --root nus --index {WAYMO}", "no sample, for it has no token"),
    (f"visualize nuscenes --root nus --index {LANES}", "an index of 'openlane_v2'; NuScenesClipDataset reads"),
    (f"visualize occupancy --root nus --index {WAYMO}", "no sample, for it has no token"),
    (f"visualize waymo --root waymo --index {NUSCENES}", "an index of 'nuscenes', not of Waymo"),
    (f"visualize openlane_v2 --root ol --index {NUSCENES}", "an index of 'nuscenes'; OpenLaneClipDataset reads"),
    (f"evaluate occupancy --root nus --index {WAYMO} --predictions occ", "no sample, for it has no token"),
    (f"evaluate openlane_v2 --index {NUSCENES} --predictions lanes.pkl", "not an index of OpenLane-V2"),
    (f"submit occupancy --results occ --index {WAYMO} --out out.zip", "no sample, for it has no token"),
    (f"benchmark ray-iou --root nus --index {WAYMO}", "no sample, for it has no token"),
    (f"demo index --root nus --index {WAYMO} {MODEL}", "no sample, for it has no token"),
)


@pytest.mark.parametrize(("line", "message"), OTHERS, ids=[short(line) for line, _ in OTHERS])
def test_an_index_of_another_data_set(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    place = clone(world, tmp_path / "place")
    monkeypatch.chdir(place)
    before = files_below(place)
    finished = finish_tool(*line.split())
    check_refusal(finished, line.partition("--index ")[2].split()[0])
    assert message in finished.error
    assert files_below(place) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("demo images c.json --config c --checkpoint f --max-frames -1", "expected a number of at least 1, not -1"),
        ("demo images c.json --config c --checkpoint f --fps nan", "expected a number above 0, not nan"),
        ("demo images c.json --config c --checkpoint f --camera-width 0", "expected a number of at least 64, not 0"),
        ("demo images c.json --config c --checkpoint f --extent 0", "expected a number above 0, not 0"),
        ("demo images c.json --config c --checkpoint f --score nan", "expected a number, not nan"),
        ("demo images c.json --config c --checkpoint f --device foo", "no device foo here"),
        ("demo images c.json --config c --checkpoint f --device meta", "the device meta computes nothing"),
        ("demo videos c.json --config c --checkpoint f --rate 0", "expected a number above 0, not 0"),
        ("create_synthetic nuscenes --root r --seed -1", "expected a number from 0 to 4294967295, not -1"),
        ("create_synthetic nuscenes --root r --size 0x9", "expected WIDTHxHEIGHT"),
        ("create_synthetic nuscenes --root r --sweeps -1", "expected a number of at least 0, not -1"),
        ("train c.py --seed -1", "expected a number from 0 to 4294967295, not -1"),
        ("compare c.py --seeds 0 -1", "expected a number from 0 to 4294967295, not -1"),
        ("extract_features p.jpg --out o --variant t --size 0 0", "expected a number of at least 1, not 0"),
        ("extract_features p.jpg --out o --variant t --device foo", "no device foo here"),
        ("create_data occupancy --root r --sweep-stride -1", "expected a number of at least 0, not -1"),
        ("create_data synthetic-lanes --root r --reach nan 1", "expected a number above 0, not nan"),
        ("create_data waymo --root r --workers 0", "expected a number of at least 1, not 0"),
        ("track nuscenes --results r --root r --version v --out o --max-age nan", "expected a number above 0, not nan"),
        ("ensemble waymo --results r --out o --iou nan", "expected a number, not nan"),
        ("submit waymo --results r --metadata m --out o --shards 0", "expected a number of at least 1, not 0"),
        ("benchmark ray-iou --root r --index i --frames 0", "expected a number of at least 1, not 0"),
        ("evaluate waymo --results r --ground-truth g --workers 0", "expected a number of at least 1, not 0"),
        ("quickstart --epochs 0", "expected a number of at least 1, not 0"),
        ("visualize nuscenes --root r --index i --score nan", "expected a number, not nan"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(line: str, message: str) -> None:
    finished = finish_tool(*line.split())
    assert finished.status == 2
    assert message in finished.error


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train_dataloader.batch_size=0", "train_dataloader.batch_size: expected a whole number of at least 1, not 0"),
        ("val_dataloader.batch_size=abc", "val_dataloader.batch_size: expected a whole number of at least 1, not"),
        ("test_dataloader.num_workers=-1", "test_dataloader.num_workers: expected a whole number of at least 0"),
        ("train_cfg.max_epochs=-1", "train_cfg.max_epochs: expected a whole number of at least 1, not -1"),
        ("randomness.seed=-1", "randomness.seed: expected a whole number of at least 0, not -1"),
    ],
)
def test_numbers_of_a_config_that_make_no_sense_are_refused(
    world: Path, monkeypatch: pytest.MonkeyPatch, override: str, message: str
) -> None:
    monkeypatch.chdir(world)
    finished = finish_tool("train", "config.py", "--work-dir", "out", "--cfg-options", override)
    assert finished.status == 1
    assert message in finished.error
