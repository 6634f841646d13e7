"""Which versions of other packages this project needs, and what is wrong with those that are installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from bev.errors import InputError

SUPPORTED_PYTHON = ((3, 10), (3, 12))


class Severity(Enum):
    """Whether the main job (train, test and submit on nuScenes) can run in spite of a finding."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong and what to do about it, in a line."""

    severity: Severity
    text: str


@dataclass(frozen=True)
class Requirement:
    """A package that we use.

    Attributes:
        name: distribution name, as pip knows it.
        verified: the version that our tests ran with.
        purpose: what we use it for.
        minimum: oldest release that works, if there is a bound.
        below: first release that does not work, if there is a bound.
        because: why the bounds are there.
        alternatives: distributions that provide the same module.
        main: whether the main job needs it.
    """

    name: str
    verified: str
    purpose: str
    minimum: str = ""
    below: str = ""
    because: str = ""
    alternatives: tuple[str, ...] = ()
    main: bool = True

    @property
    def wanted(self) -> str:
        """The requirement as pip takes it, e.g. `numpy>=1.23,<2`."""
        bounds = [f">={self.minimum}"] * bool(self.minimum) + [f"<{self.below}"] * bool(self.below)
        return self.name + ",".join(bounds)


REQUIREMENTS = (
    Requirement("torch", "2.14.1", "tensors", "2.10", because="bev_ops uses its stable ABI"),
    Requirement("torchvision", "0.29.1", "NMS, RoIAlign, deformable convolution", "0.25", because="torch is >= 2.10"),
    Requirement("mmengine", "0.10.7", "training loop, config, registry", "0.10.7", "0.11"),
    Requirement(
        "mmcv-lite",
        "2.1.0",
        "transforms (its compiled ops: see below)",
        "2.0.0",
        "2.2.0",
        because="mmdet 3.3, mmdet3d 1.4 and mmsegmentation 1.2 refuse other versions when they are imported",
        alternatives=("mmcv",),
    ),
    Requirement("mmdet", "3.3.0", "necks, losses, image detection", "3.3", "3.4", "mmdet3d 1.4 asks for it"),
    Requirement("mmdet3d", "1.4.0", "3D boxes and structures", "1.4", "1.5"),
    Requirement("nuscenes-devkit", "1.2.0", "nuScenes tables and evaluation", "1.2", "1.3"),
    Requirement(
        "motmetrics", "1.4.0", "nuScenes tracking metrics", "1.4", "1.5", "nuscenes-devkit 1.2 is written for it"
    ),
    Requirement(
        "numpy", "1.26.4", "arrays", "1.23", "2", "nuscenes-devkit 1.2 and mmdet3d 1.4 are written for numpy 1"
    ),
    Requirement("scipy", "1.17.1", "assignment, interpolation"),
    Requirement("shapely", "2.0.7", "polygons", "2.0"),
    Requirement("pyquaternion", "0.9.9", "rotations"),
    Requirement(
        "opencv-python",
        "4.11.0.86",
        "images",
        alternatives=("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    ),
    Requirement("timm", "1.0.31", "layers", "1.0"),
    Requirement("tqdm", "4.70.1", "progress bars"),
    Requirement("matplotlib", "3.11.2", "pictures", "3.8"),
    Requirement("av", "18.1.0", "videos"),
    Requirement(
        "setuptools",
        "80.10.2",
        "pkg_resources, with which mmengine finds other packages",
        below="81",
        because="later ones lack pkg_resources",
        main=False,
    ),
    Requirement("mmsegmentation", "1.2.2", "image segmentation", "1.2", "1.3", main=False),
    Requirement("mmpretrain", "1.2.0", "image classification", "1.2", "1.3", main=False),
    Requirement("einops", "0.8.2", "mmpretrain", main=False),
    Requirement("ftfy", "6.3.1", "mmsegmentation", main=False),
    Requirement("regex", "2026.11.15", "mmsegmentation", main=False),
    Requirement("protobuf", "7.36.2", "Waymo records", "3.20.3", main=False),
    Requirement(
        "pyarrow", "24.0.0", "Waymo's parquet layout", below="25", because="later ones need numpy 2", main=False
    ),
    Requirement("transformers", "5.24.0", "Segment Anything, AutoModel", main=False),
)


def release(version: str) -> tuple[int, ...]:
    """The numbers a version starts with: `2.14.1+cu130` gives (2, 14, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    if match is None:
        raise InputError(f"not a version number: {version!r}")
    return tuple(int(part) for part in match.group().split("."))


def is_older(version: str, other: str) -> bool:
    """Whether the first version comes before the second; `2.0` and `2.0.0` are the same."""
    pairs = [release(version), release(other)]
    length = max(map(len, pairs))
    first, second = (numbers + (0,) * (length - len(numbers)) for numbers in pairs)
    return first < second


def installed_versions() -> dict[str, str]:
    """Version of every installed distribution that the table names, by its name there."""
    names = [name for requirement in REQUIREMENTS for name in (requirement.name, *requirement.alternatives)]
    return {name: version for name in names if (version := installed_version(name)) is not None}


def installed_version(name: str) -> str | None:
    """Version of a distribution, or None where it isn't installed; imports nothing of it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def find_installed(requirement: Requirement, versions: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and version of the package or of its first installed alternative; None where there is none."""
    names = (requirement.name, *requirement.alternatives)
    return next(((name, versions[name]) for name in names if name in versions), None)


def check_versions(versions: Mapping[str, str]) -> list[Finding]:
    """Finds packages that are missing or out of their range."""
    findings = []
    for requirement in REQUIREMENTS:
        found = find_installed(requirement, versions)
        problem = _missing(requirement) if found is None else _out_of_range(requirement, *found)
        if problem:
            severity = Severity.ERROR if requirement.main else Severity.WARNING
            findings.append(Finding(severity, f"{problem}; pip install '{requirement.wanted}'"))
    return findings


def _missing(requirement: Requirement) -> str:
    return f"{requirement.name} is not installed ({requirement.purpose})"


def _out_of_range(requirement: Requirement, name: str, version: str) -> str:
    if requirement.minimum and is_older(version, requirement.minimum):
        problem = f"{name} {version} is too old"
    elif requirement.below and not is_older(version, requirement.below):
        problem = f"{name} {version} is too new"
    else:
        return ""
    because = f" ({requirement.because})" if requirement.because else ""
    first = f"; pip uninstall {name}" if name != requirement.name else ""
    return problem + because + first


def check_python(version: tuple[int, int]) -> list[Finding]:
    """Finds an interpreter outside of the tested range."""
    oldest, newest = SUPPORTED_PYTHON
    if oldest <= version <= newest:
        return []
    severity = Severity.ERROR if version < oldest else Severity.WARNING
    tested = " to ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHON)
    return [Finding(severity, f"Python {version[0]}.{version[1]} is not supported; use Python {tested}")]


def check_combinations(versions: Mapping[str, str]) -> list[Finding]:
    """Finds packages that overwrite each other's files."""
    findings = []
    if "mmcv" in versions and "mmcv-lite" in versions:
        text = "mmcv and mmcv-lite are both installed and overwrite each other's files; pip uninstall both, install one"
        findings.append(Finding(Severity.WARNING, text))
    opencv = {name: found for name, found in versions.items() if name.startswith("opencv-")}
    if len(set(opencv.values())) > 1:
        listed = ", ".join(f"{name} {found}" for name, found in sorted(opencv.items()))
        text = f"{listed} share the folder cv2 but differ in version; install the same version of each"
        findings.append(Finding(Severity.WARNING, text))
    return findings


def check_torchvision_pair(torch_version: str, needs: list[str]) -> list[Finding]:
    """Finds a torchvision that was built for another torch.

    Args:
        torch_version: the installed one.
        needs: requirement strings of the installed torchvision, e.g. `torch==2.10.0` or `torch (>=2.14.0)`.
    """
    for need in needs:
        match = re.match(r"torch\s*\(?(==|>=)\s*([\d.]+)", need)
        if match is None:
            continue
        exact = match[1] == "=="
        if is_older(torch_version, match[2]) or (exact and is_older(match[2], torch_version)):
            text = f"torchvision was built for torch{match[1]}{match[2]}, but torch {torch_version} is installed"
            return [Finding(Severity.ERROR, f"{text}; install the torchvision of this torch's release")]
    return []


def check_pkg_resources(find_spec: Callable[[str], object | None] = importlib.util.find_spec) -> list[Finding]:
    """Finds an environment without pkg_resources, whatever its setuptools."""
    if find_spec("pkg_resources") is not None:
        return []
    text = "pkg_resources is missing: configs that inherit from other packages ('mmdet::...') can't be read"
    return [Finding(Severity.WARNING, f"{text}; pip install 'setuptools<81'")]


def check_installation(versions: Mapping[str, str], python: tuple[int, int]) -> list[Finding]:
    """All findings that need no import of the packages themselves."""
    findings = check_python(python) + check_versions(versions) + check_combinations(versions) + check_pkg_resources()
    if "torch" in versions and "torchvision" in versions:
        findings += check_torchvision_pair(versions["torch"], importlib.metadata.requires("torchvision") or [])
    return findings
