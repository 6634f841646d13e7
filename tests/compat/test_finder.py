from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bev
from bev.compat import install, uninstall
from bev.compat.finder import EXTENSION, StandInFinder
from bev.compat.multimodal import SwitchFinder

ROOT = Path(bev.__file__).parents[1]


def run_python(code: str, *search_path: Path) -> str:
    """Runs code in a fresh interpreter and returns what it printed."""
    paths = [*map(str, search_path), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def make_package(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_import_bev_is_cheap() -> None:
    heavy = ["torch", "numpy", "mmengine", "mmcv", "bev_ops"]
    assert run_python(f"import sys, bev; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_full_mmcv_wins(tmp_path: Path) -> None:
    full_mmcv = make_package(tmp_path, {"mmcv/__init__.py": "", "mmcv/_ext.py": "nms = 'compiled'"})
    assert run_python("import bev, mmcv._ext; print(mmcv._ext.nms)", full_mmcv) == "compiled"


def test_stand_in_serves_mmcv_lite(tmp_path: Path) -> None:
    mmcv_lite = make_package(tmp_path, {"mmcv/__init__.py": ""})
    assert (
        run_python("import bev, mmcv._ext; print(mmcv._ext.nms.__module__)", mmcv_lite) == "bev.compat.mmcv_ext.boxes"
    )


def test_answers_for_one_module_only() -> None:
    finder = StandInFinder()
    assert finder.find_spec(EXTENSION).origin == "bev.compat.mmcv_ext"
    assert finder.find_spec("mmcv.ops") is None
    assert finder.find_spec("mmdet._ext") is None


def test_installs_once_and_undoes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    uninstall()
    before = list(sys.meta_path)
    install()
    install()
    first, *others, last = sys.meta_path
    assert isinstance(first, SwitchFinder)
    assert others == before
    assert isinstance(last, StandInFinder)
    uninstall()
    assert sys.meta_path == before


@pytest.mark.parametrize(
    "name",
    [
        "mmcv.ops",
        "mmdet.models",
        "mmdet3d.models",
        "mmdet3d.structures",
        "mmdet3d.datasets",
        "mmseg.models",
        "mmpretrain",
    ],
)
def test_openmmlab_packages_import(name: str) -> None:
    assert importlib.import_module(name).__name__ == name
