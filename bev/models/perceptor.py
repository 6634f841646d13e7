"""The one model class: images of a clip in, predictions of all heads out.

Shapes: B batch, T frames, N cameras, C channels, H, W rows and columns of the BEV grid, h_i, w_i height and width of
feature level i, K images that exist among the B * N of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModel, ModuleDict
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.temporal.resampling import resample_bev
from bev.structures import BEVFeatures, CameraClip, ImageFeatures

Config = Mapping[str, Any]


@MODELS.register_module()
class BEVPerceptor(BaseModel):
    """Backbone, neck, BEV encoder for each frame, temporal fusion, and heads on the BEV or on the image features.

    Heads have a class attribute `source` ("bev" or "image"), the verbs `forward(features)`, `loss(outputs, samples)`
    and `predict(outputs, samples)`, and a class attribute `predicts`: whether `predict` makes 3D boxes.

    Args:
        backbone: Config of a module from images (K, 3, H, W) to a tuple of maps.
        neck: Config of a module from that tuple to maps of one width.
        encoder: Config of the BEV encoder (see `BEVFormerEncoder`).
        heads: Name to config; a head's losses are called `name.loss`.
        temporal: Config of the fusion of several frames; None for clips of one frame.
        data_preprocessor: Config of what moves a batch to the device and normalises it.
        train_history: Train through frames other than the current one as well. Otherwise they are encoded in evaluation
            mode and without gradient, as in BEVFormer v2.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If several heads claim to make the 3D boxes.
    """

    def __init__(
        self,
        backbone: Config,
        neck: Config,
        encoder: Config,
        heads: Mapping[str, Config],
        temporal: Config | None = None,
        data_preprocessor: Config | nn.Module | None = None,
        train_history: bool = False,
        init_cfg: Config | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.encoder = MODELS.build(encoder)
        self.temporal = MODELS.build(temporal) if temporal else None
        self.heads = ModuleDict({name: MODELS.build(config) for name, config in heads.items()})
        self.train_history = train_history
        predicting = [name for name, head in self.heads.items() if head.predicts]
        if len(predicting) > 1:
            raise ValueError(f"only one head can make the 3D boxes of a sample, but {', '.join(predicting)} all do")

    def forward(
        self, inputs: CameraClip, data_samples: list[Det3DDataSample] | None = None, mode: str = "tensor"
    ) -> dict[str, Any] | list[Det3DDataSample]:
        """Run the model on a batch of clips.

        Args:
            inputs: The normalised images and their calibration.
            data_samples: B samples with ground truth (mode "loss") or metainfo.
            mode: "loss" for a dict of losses, "predict" for samples with `pred_instances_3d`, "tensor" for the raw
                outputs of every head.

        Raises:
            ValueError: If the mode is unknown, the clip has several frames but the model no temporal fusion, or a
                sample's current frame has no image.
        """
        self._check(inputs, data_samples)
        if mode == "loss":
            if data_samples is None:
                raise ValueError("mode 'loss' needs data_samples with ground truth")
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        if mode == "tensor":
            return self._run_heads(inputs, list(self.heads))
        raise ValueError(f"mode is 'loss', 'predict' or 'tensor', not {mode!r}")

    def loss(self, clip: CameraClip, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of all heads, each called `head.loss`."""
        outputs = self._run_heads(clip, list(self.heads))
        return {
            f"{name}.{key}": value
            for name, output in outputs.items()
            for key, value in self.heads[name].loss(output, samples).items()
        }

    def predict(self, clip: CameraClip, samples: list[Det3DDataSample] | None = None) -> list[Det3DDataSample]:
        """Samples with 3D boxes in the bev frame; heads that make none are not run."""
        samples = samples or [Det3DDataSample() for _ in range(clip.batch_size)]
        outputs = self._run_heads(clip, [name for name, head in self.heads.items() if head.predicts])
        for name, output in outputs.items():
            for sample, instances in zip(samples, self.heads[name].predict(output, samples), strict=True):
                sample.pred_instances_3d = instances
        return samples

    def _dump_init_info(self) -> None:
        """Say nothing: mmengine would log a paragraph for every parameter at the start of a training."""

    def _run_heads(self, clip: CameraClip, names: list[str]) -> dict[str, Any]:
        """Outputs of some heads by name."""
        bev, images = self.extract_features(clip)
        sources = {"bev": bev, "image": images}
        return {name: self.heads[name](sources[self.heads[name].source]) for name in names}

    def extract_features(self, clip: CameraClip) -> tuple[BEVFeatures, ImageFeatures]:
        """BEV features of the whole clip and image features of its current frame.

        Returns:
            The fused (B, C, H, W) map, and levels (B, 1, N, C, h_i, w_i) with the part of the clip they belong to.
        """
        maps: list[Tensor | None] = [None] * clip.num_frames
        # History first: without gradient its features are gone again before those of the current frame are made.
        with self._history_mode():
            for t in self._history(clip):
                frame = _select_frame(clip, t)
                maps[t] = self._encode(frame, self._extract_images(frame))
        current = _select_frame(clip, clip.current)
        levels = self._extract_images(current)
        current_map = maps[clip.current] = self._encode(current, levels)
        fused = current_map if self.temporal is None else self.temporal(maps, clip.frame_mask, clip.current)
        images = ImageFeatures(levels=tuple(level[:, None] for level in levels), clip=current)
        return BEVFeatures(map=fused, grid=self.encoder.grid), images

    def _encode(self, frame: CameraClip, levels: list[Tensor]) -> Tensor:
        """BEV map (B, C, H, W) of a clip of one frame, in the augmented bev frame."""
        bev_map = self.encoder(
            levels, frame.pix_T_bev[:, 0], frame.image_sizes[:, 0], frame.padded_size, frame.camera_mask[:, 0]
        )
        return resample_bev(bev_map, self.encoder.grid, frame.bev_augmentation)

    def _extract_images(self, frame: CameraClip) -> list[Tensor]:
        """Feature levels (B, N, C, h_i, w_i) of a clip of one frame; zeros where there is no image."""
        mask = frame.camera_mask[:, 0]
        maps = self.neck(self.backbone(frame.images[:, 0][mask]))
        return [level.new_zeros(*mask.shape, *level.shape[1:]).index_put((mask,), level) for level in maps]

    def _history(self, clip: CameraClip) -> list[int]:
        """Frames other than the current one that at least one sample has."""
        present = clip.frame_mask.any(0).tolist()
        return [t for t, exists in enumerate(present) if exists and t != clip.current]

    @contextmanager
    def _history_mode(self) -> Iterator[None]:
        """Evaluation mode without gradient, unless history is trained; every module's own mode returns afterwards."""
        if self.train_history or not self.training:
            yield
            return
        modes = {module: module.training for module in self.modules()}
        for module in modes:
            module.training = False
        try:
            with torch.no_grad():
                yield
        finally:
            for module, training in modes.items():
                module.training = training

    def _check(self, clip: CameraClip, samples: list[Det3DDataSample] | None) -> None:
        """Refuse clips that this model can't see through."""
        if self.temporal is None and clip.num_frames > 1:
            raise ValueError(f"the clip has {clip.num_frames} frames, but the model has no temporal fusion")
        blind = (~clip.frame_mask[:, clip.current]).nonzero().flatten().tolist()
        if blind:
            tokens = [(samples[b].metainfo.get("sample_token") if samples else None) or f"number {b}" for b in blind]
            raise ValueError(
                f"no camera image in the current frame of sample {', '.join(tokens)}: leave it out of the batch"
            )


def _select_frame(clip: CameraClip, t: int) -> CameraClip:
    """The clip of frame t alone."""
    frame = slice(t, t + 1)
    return replace(
        clip,
        images=clip.images[:, frame],
        image_sizes=clip.image_sizes[:, frame],
        pix_T_bev=clip.pix_T_bev[:, frame],
        camera_mask=clip.camera_mask[:, frame],
        times=clip.times[:, frame],
        current=0,
    )
