from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import bev

PACKAGE = Path(bev.__file__).parent


def test_version_is_a_release_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", bev.__version__)


def test_every_folder_with_modules_is_a_package() -> None:
    """`register_all` walks packages: a folder without `__init__.py` would be skipped silently."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_register_all_imports_every_module() -> None:
    bev.register_all()
    modules = {
        ".".join(("bev", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }
    assert modules - set(bev.NEEDS_EXTRA) <= set(sys.modules)


def test_register_all_does_not_hide_a_broken_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_test.py").write_text("raise ImportError('broken on purpose')")
    monkeypatch.setattr(bev, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="broken on purpose"):
        bev.register_all()
