#!/usr/bin/env python3
"""Features of images at any stage, block or DCN layer of an InternImage, one file per image.

tools/extract_features.py photo.jpg --variant t --checkpoint internimage_t_1k_224.pth --layers stage3 --out features
tools/extract_features.py photos/ --config configs/bevformerv2_internimage_xl.py --checkpoint final.pth \\
    --layers stage2 levels.2.blocks.5.dcn --size 512 512 --format safetensors --out features
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bev.engine.cli import INTERNIMAGE, at_least, device, run_main

if TYPE_CHECKING:
    from torch import nn

    from bev.models.backbones.internimage import InternImage

MAY_LACK = (".gamma1", ".gamma2")  # the classifier T has no layer scales; those of features start at 1 and stay there


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?", help="an image, or a folder of images")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the features; a killed run goes on in it, and images that have changed are done again",
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--variant", choices=INTERNIMAGE, help="a published model")
    model.add_argument("--config", help="config whose model has an InternImage as backbone")
    parser.add_argument("--checkpoint", help="weights, in any layout; random ones without it")
    parser.add_argument("--layers", nargs="+", help="see --list; the last stage without it")
    parser.add_argument("--list", action="store_true", help="list the layers and stop; needs no source")
    parser.add_argument("--size", type=at_least(1), nargs=2, metavar=("HEIGHT", "WIDTH"), help="resize images to this")
    parser.add_argument("--format", choices=("npz", "safetensors"), default="npz")
    parser.add_argument("--half", action="store_true", help="keep float16")
    parser.add_argument("--device", type=device, default="cpu", help="cpu or cuda")
    args = parser.parse_args(arguments)
    if not args.list and (args.source is None or args.out is None):
        parser.error("the following arguments are required: source, --out (or --list)")
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Extract what the arguments ask for."""
    args = parse_args(arguments)
    from tqdm import tqdm

    from bev.inference.features import FeatureSettings, extract_files, find_images, fingerprint, layer_names

    model = build_model(args).eval().to(args.device)
    if args.list:
        print("\n".join(layer_names(model)))
        return
    images = find_images(args.source)
    size = tuple(args.size) if args.size else None
    layers = tuple(args.layers or [f"stage{len(model.depths) - 1}"])
    settings = FeatureSettings(layers, size, args.format, args.half, fingerprint(model))
    root = args.source if args.source.is_dir() else args.source.parent
    for _ in tqdm(extract_files(model, images, root, args.out, settings), total=len(images), unit="image"):
        pass
    print(f"{args.out}: {len(images)} images")


def build_model(args: argparse.Namespace) -> InternImage:
    """The feature extractor with all stages, and its weights."""
    from bev.engine.checkpoint import CheckpointError, load_weights
    from bev.models.backbones.internimage import InternImage, build_internimage

    model = build_internimage(args.variant) if args.variant else _backbone_of(args.config)
    if not isinstance(model, InternImage):
        raise CheckpointError(f"{args.config}: the backbone is a {type(model).__name__}, not an InternImage")
    if args.checkpoint is None:
        print("no checkpoint given: the features are those of random weights")
        return model
    report = load_weights(model, args.checkpoint)
    print(report)
    missing = [key for key in report.missing if not key.endswith(MAY_LACK)]
    if missing:
        raise CheckpointError(f"{args.checkpoint} lacks {len(missing)} weights of the model, {missing[0]} for one")
    return model


def _backbone_of(path: str) -> nn.Module:
    import bev

    bev.register_all()
    from mmengine.registry import MODELS

    from bev.engine.config import load_config, scope

    config = load_config(path)
    backbone = dict(config.model.backbone)
    backbone.pop("init_cfg", None)
    backbone.pop("out_indices", None)
    with scope(config):
        return MODELS.build(backbone)


if __name__ == "__main__":
    run_main(main)
