"""Features of an InternImage at any stage, block or DCN layer, for one image or many.

Shapes: C channels of a layer, H W height and width of its map.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from bev.datasets.atomic import atomic_write
from bev.datasets.image_files import ImageReadError, decode_image
from bev.datasets.npz_files import write_arrays
from bev.datasets.text_files import read_json, read_text, write_json
from bev.errors import InputError
from bev.models.backbones.internimage import InternImage

FORMATS = ("npz", "safetensors")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
SETTINGS_FILE = "settings.json"
SOURCES_FILE = "sources.jsonl"  # a line for each image whose features were written; the last one of an image counts
STAGE = re.compile(r"stage(\d+)")
LAYER = re.compile(r"patch_embed|levels\.\d+\.(?:blocks\.\d+(?:\.dcn)?|downsample)")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of RGB values, as in all published trainings


class FeatureError(InputError):
    """An image, layer or output folder that can't be used."""


@dataclass(frozen=True)
class FeatureSettings:
    """What fixes the features of an image; an output folder holds those of one setting.

    Attributes:
        layers: Names of layers, see `layer_names`.
        size: Height and width that images are resized to; their own where None.
        format: "npz" or "safetensors".
        half: Keep float16 instead of float32.
        model: What tells the weights apart, see `fingerprint`.
    """

    layers: tuple[str, ...]
    size: tuple[int, int] | None
    format: str
    half: bool
    model: str


def layer_names(model: InternImage) -> list[str]:
    """Layers whose output can be extracted.

    `stage0` to `stage3` are the maps that detectors and segmentors use; `levels.2.blocks.5` is a block,
    `levels.2.blocks.5.dcn` its DCNv3, `levels.0.downsample` what follows a stage, `patch_embed` the stem.
    """
    stages = [f"stage{index}" for index in range(model.last_stage + 1)]
    return stages + [name for name, _ in model.named_modules() if LAYER.fullmatch(name)]


def fingerprint(model: nn.Module) -> str:
    """A short text that differs between models of other shapes or weights."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        total = value.double().sum().item() if value.is_floating_point() else 0.0
        digest.update(f"{name} {tuple(value.shape)} {total!r}\n".encode())
    return digest.hexdigest()[:16]


@torch.no_grad()
def extract(model: InternImage, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Outputs of layers for a batch.

    Args:
        model: In evaluation mode.
        images: Normalised images (B, 3, H, W).
        layers: Names from `layer_names`.

    Returns:
        Name -> (B, C, H, W), each at its layer's stride.

    Raises:
        FeatureError: If there is no such layer.
    """
    check_layers(model, layers)
    kept: dict[str, Tensor] = {}
    modules = dict(model.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _, __, output, name=name: kept.__setitem__(name, output))
        for name in layers
        if name in modules
    ]
    try:
        maps = model.forward_stages(images)
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        if found := STAGE.fullmatch(name):
            kept[name] = maps[int(found[1])]
    return {name: kept[name].permute(0, 3, 1, 2).contiguous() for name in layers}


def check_layers(model: InternImage, layers: Sequence[str]) -> None:
    """Raise a FeatureError if a layer doesn't exist."""
    known = layer_names(model)
    for name in layers:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known[:8])} ..."
            raise FeatureError(f"the model has no layer {name}: {hint}")


def read_for_backbone(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """A normalised image (1, 3, H, W).

    Args:
        path: A file that OpenCV can decode.
        size: Height and width to resize to.

    Raises:
        FeatureError: If the file is no image.
        OSError: If it can't be read.
    """
    try:
        image = decode_image(path.read_bytes(), str(path))
    except ImageReadError as error:
        raise FeatureError(str(error)) from error
    if size is not None and image.shape[:2] != size:
        image = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    normalised = (image[..., ::-1].astype(np.float32) - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(normalised.transpose(2, 0, 1), dtype=np.float32))[None]


def find_images(source: Path) -> list[Path]:
    """The image itself, or all images below a folder, in order.

    Raises:
        FeatureError: If there are none.
    """
    if source.is_file():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise FeatureError(f"{source} is neither an image nor a folder with images ({', '.join(IMAGE_SUFFIXES)})")
    return found


def extract_files(
    model: InternImage, images: Sequence[Path], root: Path, out: Path, settings: FeatureSettings
) -> Iterator[Path]:
    """Write the features of each image; yields each image when its file is there.

    Files are complete or absent, so a killed run goes on where it was: what is there is kept, unless it was made from
    another image of the same name, in another folder or of another size or time.

    Args:
        model: In evaluation mode, on any device.
        images: Files.
        root: What their names in `out` are relative to.
        out: Gets `NAME.FORMAT` for each image, NAME with its own suffix, `settings.json`, and `sources.jsonl` with
            what tells the images apart.
        settings: What to extract.

    Raises:
        FeatureError: If the folder holds features of other settings, or an image can't be decoded.
    """
    check_layers(model, settings.layers)
    claimed = _is_claimed(out, settings)
    sources = _read_sources(out)
    device = next(model.parameters()).device
    for image in images:
        name, source = str(image.relative_to(root)), _source_of(image)
        target = out / f"{name}.{settings.format}"
        if not target.exists() or sources.get(name) != source:
            maps = extract(model, read_for_backbone(image, settings.size).to(device), settings.layers)
            if not claimed:
                _claim(out, settings)
                claimed = True
            dtype = torch.float16 if settings.half else torch.float32
            _write(target, {name: value[0].to(dtype).cpu().numpy() for name, value in maps.items()})
            _note_source(out, name, source)
        yield image


def _claim(out: Path, settings: FeatureSettings) -> None:
    """Note the settings in a new folder."""
    write_json(out / SETTINGS_FILE, asdict(settings), indent=1)


def _is_claimed(out: Path, settings: FeatureSettings) -> bool:
    """Whether an earlier run noted its settings, which must be the same."""
    file, wanted = out / SETTINGS_FILE, json.loads(json.dumps(asdict(settings)))
    if not file.exists():
        return False
    present = read_json(file, dict, "choose another folder", FeatureError)
    differing = [key for key in wanted if present.get(key) != wanted[key]]
    if differing:
        raise FeatureError(f"{out} has features of another {', '.join(differing)}; choose another folder")
    return True


def _source_of(image: Path) -> dict[str, Any]:
    """What tells an image from others of its name, without reading it."""
    path = image.resolve()
    state = path.stat()
    return {"path": str(path), "size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _read_sources(out: Path) -> dict[str, dict[str, Any]]:
    """Images by name that the features of a folder were made from; a line that a killed run left unfinished is none."""
    file = out / SOURCES_FILE
    sources = {}
    for line in read_text(file, FeatureError).splitlines() if file.exists() else ():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            sources[entry["name"]] = entry["source"]
    return sources


def _note_source(out: Path, name: str, source: Mapping[str, Any]) -> None:
    """Note what the features of an image were made from, once they are written."""
    with (out / SOURCES_FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"name": name, "source": source}) + "\n")


def _write(target: Path, arrays: Mapping[str, np.ndarray]) -> None:
    if target.suffix == ".npz":
        write_arrays(target, arrays, compressed=False)
        return
    from safetensors.numpy import save

    with atomic_write(target) as file:
        file.write(save(dict(arrays)))
