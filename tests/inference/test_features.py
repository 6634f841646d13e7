from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from golden import fill
from safetensors.numpy import load_file

from bev.inference import features
from bev.inference.features import FeatureError, FeatureSettings, extract, extract_files, find_images
from bev.models.backbones import InternImage, build_internimage

DCN = "levels.2.blocks.1.dcn"


@pytest.fixture(scope="module")
def model() -> InternImage:
    built = build_internimage("t", channels=16, depths=(1, 1, 2, 1), groups=(2, 4, 8, 16))
    fill(built)
    return built.eval()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos" / "deep"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.PNG"):
        _, data = cv2.imencode(".png", generator.integers(0, 255, (40, 64, 3), dtype=np.uint8))
        (folder / name).write_bytes(data.tobytes())
    (folder / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def settings(**changes: object) -> FeatureSettings:
    return replace(FeatureSettings(("stage3", DCN), None, "npz", False, "nano"), **changes)


def run(model: InternImage, photos: Path, out: Path, wanted: FeatureSettings) -> list[Path]:
    return list(extract_files(model, find_images(photos), photos, out, wanted))


def test_stages_are_the_maps_and_a_dcn_layer_is_its_output(model: InternImage) -> None:
    images = torch.randn(2, 3, 40, 64)
    kept = extract(model, images, ["stage2", "stage3", DCN, "levels.2.blocks.1", "patch_embed"])
    for stage in (2, 3):
        torch.testing.assert_close(kept[f"stage{stage}"], model(images)[stage])
    assert kept[DCN].shape == (2, 64, 3, 4)
    assert kept["patch_embed"].shape == (2, 16, 10, 16)
    block = model.levels[2].blocks
    with torch.no_grad():
        before = block[0](model.levels[1].downsample(model.forward_stages(images)[1]))
        expected = block[1].dcn(block[1].norm1(before))
    torch.testing.assert_close(kept[DCN], expected.permute(0, 3, 1, 2))


def test_every_listed_layer_can_be_extracted(model: InternImage) -> None:
    names = features.layer_names(model)
    assert {"stage0", "stage3", "patch_embed", "levels.0.downsample", "levels.3.blocks.0.dcn"} <= set(names)
    assert list(extract(model, torch.zeros(1, 3, 32, 32), names)) == names


def test_both_formats_hold_the_same(model: InternImage, photos: Path, tmp_path: Path) -> None:
    images = run(model, photos, tmp_path / "npz", settings())
    run(model, photos, tmp_path / "safe", settings(format="safetensors", half=True))
    assert [image.name for image in images] == ["a.png", "b.PNG"]
    expected = extract(model, features.read_for_backbone(photos / "deep" / "a.png"), ["stage3", DCN])
    plain = np.load(tmp_path / "npz" / "deep" / "a.png.npz")
    safe = load_file(tmp_path / "safe" / "deep" / "a.png.safetensors")
    assert set(plain.files) == set(safe) == {"stage3", DCN}
    for name, value in expected.items():
        np.testing.assert_allclose(plain[name], value[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(safe[name], value[0].numpy().astype(np.float16), atol=1e-2)


def test_images_are_normalised_rgb_of_the_wanted_size(photos: Path) -> None:
    path = photos / "deep" / "a.png"
    image = cv2.imread(str(path))
    expected = (image[0, 0, 2] - 123.675) / 58.395  # red is OpenCV's last channel
    assert features.read_for_backbone(path)[0, 0, 0, 0].item() == pytest.approx(expected, abs=1e-5)
    assert features.read_for_backbone(path, (32, 96)).shape == (1, 3, 32, 96)


def test_a_second_run_computes_only_what_is_missing(model, photos, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    run(model, photos, out, settings())
    (out / "deep" / "b.PNG.npz").unlink()
    computed: list[Path] = []
    read = features.read_for_backbone
    monkeypatch.setattr(features, "read_for_backbone", lambda path, size: (computed.append(path), read(path, size))[1])
    assert len(run(model, photos, out, settings())) == 2
    assert [path.name for path in computed] == ["b.PNG"]


def test_an_image_that_changed_is_done_again(model, photos, tmp_path) -> None:
    out, wanted = tmp_path / "out", settings(layers=("stage3",))
    run(model, photos, out, wanted)
    before = {name: (out / "deep" / f"{name}.npz").read_bytes() for name in ("a.png", "b.PNG")}
    image = photos / "deep" / "a.png"
    image.write_bytes((photos / "deep" / "b.PNG").read_bytes())
    run(model, photos, out, wanted)
    assert (out / "deep" / "a.png.npz").read_bytes() != before["a.png"]
    assert (out / "deep" / "b.PNG.npz").read_bytes() == before["b.PNG"]
    image.write_bytes(image.read_bytes())
    os.utime(image, ns=(1, 1))
    (out / "deep" / "a.png.npz").write_bytes(b"old")
    run(model, photos, out, wanted)
    assert (out / "deep" / "a.png.npz").read_bytes() != b"old"


def test_another_folder_of_the_same_names_is_another_source(model, photos, tmp_path) -> None:
    """Even of the same sizes and times: a copy keeps them."""
    out, wanted = tmp_path / "out", settings(layers=("stage3",))
    run(model, photos, out, wanted)
    shutil.copytree(photos, tmp_path / "other")
    (out / "deep" / "a.png.npz").write_bytes(b"old")
    run(model, tmp_path / "other", out, wanted)
    assert set(np.load(out / "deep" / "a.png.npz").files) == {"stage3"}


@pytest.mark.parametrize("sources", [None, '{"name": "deep/a.png", "sou'])
def test_features_without_a_whole_note_are_computed(model, photos, tmp_path, sources) -> None:
    """As of a run that was killed, or of one before notes were kept; what is written then counts."""
    out, wanted = tmp_path / "out", settings(layers=("stage3",))
    run(model, photos, out, wanted)
    (out / "sources.jsonl").unlink()
    if sources:
        (out / "sources.jsonl").write_text(sources)
    (out / "deep" / "b.PNG.npz").write_bytes(b"old")
    run(model, photos, out, wanted)
    assert set(np.load(out / "deep" / "b.PNG.npz").files) == {"stage3"}
    (out / "deep" / "b.PNG.npz").write_bytes(b"kept")
    run(model, photos, out, wanted)
    assert (out / "deep" / "b.PNG.npz").read_bytes() == b"kept"


def test_features_of_other_settings_are_not_mixed(model, photos, tmp_path) -> None:
    out = tmp_path / "out"
    run(model, photos, out, settings())
    with pytest.raises(FeatureError, match="features of another layers, size; choose another folder"):
        run(model, photos, out, settings(layers=("stage2",), size=(32, 32)))
    assert json.loads((out / "settings.json").read_text())["layers"] == ["stage3", DCN]


def test_other_weights_have_another_fingerprint(model: InternImage) -> None:
    before = features.fingerprint(model)
    other = build_internimage("t", channels=16, depths=(1, 1, 2, 1), groups=(2, 4, 8, 16))
    assert features.fingerprint(model) == before != features.fingerprint(other)


def test_what_cannot_be_used_is_named(model: InternImage, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"no layer levels\.2\.block\.1\.dcn: did you mean levels\.2\.blocks"):
        extract(model, torch.zeros(1, 3, 32, 32), ["levels.2.block.1.dcn"])
    with pytest.raises(FeatureError, match="neither an image nor a folder"):
        find_images(tmp_path / "none")
    (photos / "deep" / "c.jpg").write_bytes(b"text")
    with pytest.raises(FeatureError, match=r"c\.jpg: not an image"):
        run(model, photos, tmp_path / "out", settings())
