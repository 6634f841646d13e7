"""InternImage against what the official code computes: parameter names, logits, stages, gradients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import check, fill, inp

from bev.models.backbones import InternImage, build_internimage

PARAMETERS = {"t": 29918424, "b": 97461832, "xl": 334819780, "g": 3076373352}  # of the official classifiers
AUTHORS_MILLIONS = {"t": 30, "s": 50, "b": 97, "l": 223, "xl": 335, "h": 1080, "g": 3000}
TOLERANCE = 1e-4


def filled(variant: str, **settings: object) -> InternImage:
    """Model with the goldens' weights, in evaluation mode."""
    with torch.device("meta"):
        model = build_internimage(variant, **settings)
    model.to_empty(device="cpu")
    fill(model)
    return model.eval()


def load(goldens: Path, name: str) -> np.lib.npyio.NpzFile:
    return np.load(goldens / name / "golden.npz")


def shapes(model: InternImage) -> list[tuple[str, list[int]]]:
    return [(key, list(value.shape)) for key, value in model.state_dict().items()]


@pytest.mark.parametrize("variant", AUTHORS_MILLIONS)
def test_classifier_has_official_parameters(variant: str, goldens: Path) -> None:
    with torch.device("meta"):
        model = build_internimage(variant, num_classes=1000)
    official = json.loads((goldens / f"internimage_{variant}_cls" / "keys.json").read_text())
    assert shapes(model) == list(official.items())
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == PARAMETERS.get(variant, count)
    assert count / 1e6 == pytest.approx(AUTHORS_MILLIONS[variant], rel=0.03)


@pytest.mark.parametrize("task", ["det", "seg"])
@pytest.mark.parametrize("variant", ["t", "xl"])
def test_feature_extractor_has_official_parameters(task: str, variant: str, goldens: Path) -> None:
    with torch.device("meta"):
        model = build_internimage(variant)
    official = json.loads((goldens / f"internimage_{task}_backbone" / f"keys_{variant}.json").read_text())
    assert shapes(model) == list(official.items())


@torch.no_grad()
def check_classifier(goldens: Path, variant: str, sizes: list[tuple[int, int, int]]) -> None:
    golden = load(goldens, f"internimage_{variant}_cls")
    model = filled(variant, num_classes=1000)
    for batch, height, width in sizes:
        images = inp(f"internimage_cls/{height}x{width}/x", (batch, 3, height, width))
        check(golden, f"{height}x{width}/logits", model(images), TOLERANCE)
        for stage, value in enumerate(model.forward_stages(images)):
            check(golden, f"{height}x{width}/stage{stage}", value, TOLERANCE)


def test_t_classifier_matches_official(goldens: Path) -> None:
    check_classifier(goldens, "t", [(2, 64, 96), (1, 224, 224)])


def test_b_classifier_matches_official(goldens: Path) -> None:
    check_classifier(goldens, "b", [(2, 64, 96)])


def test_xl_classifier_matches_official(goldens: Path) -> None:
    check_classifier(goldens, "xl", [(1, 64, 64)])


@torch.no_grad()
def check_feature_extractor(goldens: Path, tasks: list[str], variant: str) -> None:
    model = filled(variant)
    maps = model(inp("internimage_det/64x96/x", (2, 3, 64, 96)))
    for task in tasks:
        golden = load(goldens, f"internimage_{task}_backbone")
        for stage, value in enumerate(maps):
            check(golden, f"{variant}/out{stage}", value, TOLERANCE)


def test_t_feature_extractor_matches_official(goldens: Path) -> None:
    check_feature_extractor(goldens, ["det", "seg"], "t")


def test_selected_stages_match_official(goldens: Path) -> None:
    golden = load(goldens, "internimage_det_backbone")
    with torch.no_grad():
        maps = filled("t", out_indices=(1, 3))(inp("internimage_det/64x96/x", (2, 3, 64, 96)))
    for stage, value in zip((1, 3), maps, strict=True):
        check(golden, f"t/out(1, 3)/{stage}", value, TOLERANCE)


def test_xl_feature_extractor_matches_official(goldens: Path) -> None:
    check_feature_extractor(goldens, ["det", "seg"], "xl")


def test_gradients_match_official(goldens: Path) -> None:
    golden = load(goldens, "internimage_t_cls_grad")
    norms = json.loads((goldens / "internimage_t_cls_grad" / "grad_norms_float64.json").read_text())
    model = filled("t", num_classes=1000)
    images = inp("internimage_cls/64x96/x", (2, 3, 64, 96)).requires_grad_()
    (model(images) * inp("internimage_cls/64x96/grad_logits", (2, 1000))).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    check(golden, "grad_x", images.grad, TOLERANCE)
    for name in sorted({key.split("@")[0] for key in golden.files} - {"grad_x"}):
        check(golden, name, gradients[name], TOLERANCE)
    assert set(gradients) == set(norms)
    for name, norm in norms.items():
        assert gradients[name].norm().item() == pytest.approx(norm, rel=1e-4, abs=1e-6), name
