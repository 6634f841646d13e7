from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import pytest

from bev.compat import multimodal

OWN = "WITH_MULTIMODAL = True\nOTHER = 'kept'\n"


@pytest.fixture
def package(tmp_path: Path) -> list[str]:
    """Search path of a package that has the switch where mmpretrain has it."""
    (tmp_path / "dependency.py").write_text(OWN)
    return [str(tmp_path)]


def load(search_path: list[str]) -> dict[str, object]:
    spec = multimodal.SwitchFinder().find_spec(multimodal.SWITCH, search_path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def test_the_switch_is_off_with_a_transformers_that_is_too_new(package, monkeypatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "5.24.0")
    module = load(package)
    assert module["WITH_MULTIMODAL"] is False
    assert module["OTHER"] == "kept"


@pytest.mark.parametrize("version", ["4.28.0", "4.57.1", None])
def test_mmpretrain_decides_by_itself_with_an_older_one_or_none(package, monkeypatch, version) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    assert multimodal.SwitchFinder().find_spec(multimodal.SWITCH, package) is None


def test_no_other_module_is_touched(monkeypatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "5.24.0")
    assert multimodal.SwitchFinder().find_spec("mmpretrain.utils", None) is None


def test_installs_once_and_first(monkeypatch) -> None:
    others = [finder for finder in sys.meta_path if not isinstance(finder, multimodal.SwitchFinder)]
    monkeypatch.setattr(sys, "meta_path", list(others))
    multimodal.install()
    multimodal.install()
    assert isinstance(sys.meta_path[0], multimodal.SwitchFinder)
    assert sys.meta_path[1:] == others
    multimodal.uninstall()
    assert sys.meta_path == others
