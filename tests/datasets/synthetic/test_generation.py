from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bev.datasets.synthetic import generate, generation

TINY = (64, 36)


def fingerprints(root: Path) -> dict[str, str]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def make(root: Path, **options) -> Path:
    settings = {"scenes": 2, "val_scenes": 0, "frames": 1, "image_size": TINY, "workers": 1, "progress": False}
    return generate(root, **{**settings, **options})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    make(root)
    return root


def test_the_number_of_workers_changes_nothing(made: Path, tmp_path: Path) -> None:
    make(tmp_path, workers=2)
    assert fingerprints(tmp_path) == fingerprints(made)


def test_a_stopped_run_goes_on(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    original = generation.write_scene

    def write_and_stop(root, scene, *others):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(scene.name)
        return original(root, scene, *others)

    monkeypatch.setattr(generation, "write_scene", write_and_stop)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    assert not (tmp_path / "v1.0-trainval" / "scene.json").exists()

    monkeypatch.setattr(generation, "write_scene", original)
    first = next(iter((tmp_path / "samples" / "CAM_FRONT").iterdir()))
    before = first.stat().st_mtime_ns
    make(tmp_path)
    assert first.stat().st_mtime_ns == before
    assert fingerprints(tmp_path) == fingerprints(made)


def test_missing_files_and_other_settings_are_noticed(tmp_path: Path) -> None:
    folder = make(tmp_path, scenes=1)
    picture = next(iter((tmp_path / "samples" / "CAM_BACK").iterdir()))
    picture.unlink()
    make(tmp_path, scenes=1)
    assert picture.exists()
    make(tmp_path, scenes=1, frames=2)
    assert len(json.loads((folder / "sample.json").read_text())) == 2


def test_more_scenes_leave_the_others_as_they_are(made: Path, tmp_path: Path) -> None:
    make(tmp_path, scenes=1)
    few = {name: digest for name, digest in fingerprints(tmp_path).items() if name.startswith("samples")}
    assert few.items() <= fingerprints(made).items()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenes": 0}, "at least one scene"),
        ({"frames": 0}, "at least 1"),
        ({"workers": 0}, "at least 1"),
        ({"image_size": (8, 8)}, "image size"),
    ],
)
def test_senseless_numbers_are_refused(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_real_data_set_is_not_overwritten(tmp_path: Path) -> None:
    table = tmp_path / "v1.0-trainval" / "scene.json"
    table.parent.mkdir()
    table.write_text("[]")
    with pytest.raises(FileExistsError, match="was not generated here"):
        make(tmp_path)
    assert table.read_text() == "[]"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file where the data root should be")
    with pytest.raises(OSError, match="cannot write"):
        make(tmp_path / "root", scenes=1)
