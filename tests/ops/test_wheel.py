"""The operators' wheel, installed beside nothing but torch, passes the operators' tests with old and new torch."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "numpy<2")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def call(*command: str | Path, **variables: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, env={**environment, **variables}
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    result = call(*BUILD, folder, "ops", BEV_OPS_REQUIRE_BUILD="1")  # through the source distribution
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    (built,) = folder.glob("*.whl")
    return built


def test_contents(wheel: Path):
    assert wheel.name.split("-")[2:4] == ["cp310", "abi3"]
    names = zipfile.ZipFile(wheel).namelist()
    assert "bev_ops/_C.abi3.so" in names
    assert not [name for name in names if name.endswith(("setup.py", ".cpp", ".h")) or not name.startswith("bev_ops")]
    assert any(name.endswith("LICENSE") for name in names)


def test_source_distribution_of_the_project_is_complete(tmp_path: Path):
    result = call(*BUILD, tmp_path, "--sdist", ".", BEV_OPS_CUDA="0")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "ops" / "csrc").rglob("*.*")}
    assert {"setup.py", "ops/setup.py", "LICENSE"} | sources <= names


@pytest.mark.parametrize("torch", ["2.13.0", "2.14.1"])
def test_alone_with_torch(wheel: Path, torch: str, tmp_path: Path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    if call(*install, f"torch=={torch}").returncode != 0:
        pytest.skip(f"torch {torch} can't be installed here")
    result = call(*install, wheel, *TOOLS)
    assert result.returncode == 0, result.stderr
    code = "import bev_ops, torch; print(torch.__version__, bev_ops.__file__, bev_ops.backends()['dcnv3']['cpu'])"
    version, file, served = call(python, "-c", code).stdout.split()
    assert version.startswith(torch) and str(tmp_path) in file and served == "compiled"
    result = call(python.with_name("pytest"), "tests/ops", "-m", "not slow", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout[-5000:]
