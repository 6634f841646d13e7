"""Builds the project with its operators: metadata is in pyproject.toml, what the compiler needs in ops/setup.py."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
OPS = runpy.run_path(str(ROOT / "ops" / "setup.py"))

setup(
    version=runpy.run_path(str(ROOT / "bev" / "version.py"))["__version__"],
    packages=[*find_packages(include=["bev", "bev.*"]), *OPS["packages"]()],
    package_dir={"bev_ops": "ops"},
    ext_modules=OPS["extensions"](ROOT),
    cmdclass=OPS["COMMANDS"],
    options=OPS["OPTIONS"],
)
