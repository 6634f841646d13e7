"""The one model class: images of a clip in, predictions of all heads out.

Shapes: B batch, T frames, N cameras, C channels, H, W rows and columns of the BEV grid, h_i, w_i height and width of
feature level i, K images that exist among the B * N of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.dist import get_world_size
from mmengine.model import BaseModel, ModuleDict
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.models.finite import NotFiniteError, first_non_finite
from bev.models.temporal.recurrent import RecurrentBEV
from bev.models.temporal.resampling import resample_bev
from bev.models.temporal.video import VideoMemory
from bev.structures import BEVFeatures, BEVMemory, CameraClip, ClipFeatures, ImageFeatures, PreviousBEV
from bev.structures.samples import sample_name

Config = Mapping[str, Any]
Pyramid = list[Tensor]


@MODELS.register_module()
class BEVPerceptor(BaseModel):
    """Backbone, neck, BEV encoder for each frame, temporal fusion, and heads on the BEV or on the image features.

    Heads have a class attribute `source` ("bev", "image", or "both" for all of `ClipFeatures`), the verbs
    `forward(features)`, `loss(outputs, samples)` and `predict(outputs, samples)`, and a class attribute `predicts`: the
    field of a sample that `predict` makes ("pred_instances_3d", "pred_occupancy", "pred_lanes"), or None for heads that
    only help in training.

    Args:
        backbone: Config of a module from images (K, 3, H, W) to a tuple of maps.
        neck: Config of a module from that tuple to maps of one width.
        encoder: Config of the BEV encoder (see `BEVFormerEncoder`).
        heads: Name to config; a head's losses are called `name.loss`.
        temporal: Config of what uses time: `TemporalFusion` (BEVFormer v2) joins the maps of a clip's frames, all in
            the current frame's grid; `RecurrentBEV` (BEVFormer v1) hands each frame's map to the encoder of the next
            one. None for clips of one frame.
        data_preprocessor: Config of what moves a batch to the device and normalises it.
        proposals_from: Name of the perspective head whose proposals the BEV heads get (see `HybridQueries`); None for
            one stage.
        train_history: Train through frames other than the current one as well. Otherwise they are encoded in evaluation
            mode and without gradient, as in BEVFormer. With several processes not together with synchronised batch
            norms in training mode: a process whose clips have no history would skip what the others wait for.
        video_test_mode: With `RecurrentBEV`, remember the last sample's map when predicting and hand it to the next
            sample of the same scene. Samples then have to come one by one in order (see `SceneSampler`). `train` and
            `eval` begin anew.
        history_frames_per_pass: How many history frames go through the backbone together; None for all of them.
        nan_guard: Stop training where a loss is not finite, before the weights are touched, and say which module's
            output was the first that wasn't; costs one wait for the device per step.
        init_cfg: mmengine's initialisation config.

    Raises:
        InputError: If several heads make the same field of a sample.
    """

    def __init__(
        self,
        backbone: Config,
        neck: Config,
        encoder: Config,
        heads: Mapping[str, Config],
        temporal: Config | None = None,
        data_preprocessor: Config | nn.Module | None = None,
        proposals_from: str | None = None,
        train_history: bool = False,
        video_test_mode: bool = False,
        history_frames_per_pass: int | None = None,
        nan_guard: bool = True,
        init_cfg: Config | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.encoder = MODELS.build(encoder)
        self.temporal = MODELS.build(temporal) if temporal else None
        self.heads = ModuleDict({name: MODELS.build(config) for name, config in heads.items()})
        proposing = [name for name, head in self.heads.items() if hasattr(head, "propose")]
        if proposals_from is not None and proposals_from not in proposing:
            raise InputError(f"proposals_from is {proposals_from!r}, which is no head that proposes objects (DD3DHead)")
        self.proposals_from = proposals_from
        self.nan_guard = nan_guard
        self.recurrent = self.temporal is not None and self.temporal.recurrent
        self.train_history, self.history_frames_per_pass = train_history, history_frames_per_pass
        if video_test_mode and not self.recurrent:
            raise InputError("video_test_mode needs a recurrent model: temporal=dict(type='RecurrentBEV', ...)")
        self.video = VideoMemory() if video_test_mode else None
        makers: dict[str, str] = {}
        for name, head in self.heads.items():
            if head.predicts and makers.setdefault(head.predicts, name) != name:
                raise InputError(
                    f"only one head can make {head.predicts} of a sample, but {makers[head.predicts]} and {name} do"
                )

    def forward(
        self, inputs: CameraClip, data_samples: list[Det3DDataSample] | None = None, mode: str = "tensor"
    ) -> dict[str, Any] | list[Det3DDataSample]:
        """Run the model on a batch of clips.

        Args:
            inputs: The normalised images and their calibration.
            data_samples: B samples with ground truth (mode "loss") or metainfo.
            mode: "loss" for a dict of losses, "predict" for samples with predictions, "tensor" for the raw
                outputs of every head.

        Raises:
            InputError: If the mode is unknown, the clip has several frames but the model no temporal fusion, a
                sample's current frame has no image, or synchronised norms make `train_history` impossible.
        """
        self._check(inputs, data_samples)
        if mode == "loss":
            if data_samples is None:
                raise InputError("mode 'loss' needs data_samples with ground truth")
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        if mode == "tensor":
            return self._run_heads(self.extract_features(inputs), list(self.heads))
        raise InputError(f"mode is 'loss', 'predict' or 'tensor', not {mode!r}")

    def loss(self, clip: CameraClip, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of all heads, each called `head.loss`.

        Raises:
            NotFiniteError: If a loss is NaN or infinite; names the first module whose output was (see `nan_guard`).
        """
        try:
            losses = self._losses(clip, samples)
        except FloatingPointError:
            if not self.nan_guard:
                raise
            losses = {}
        if self.nan_guard and not _all_finite(losses):
            bad = [name for name, value in losses.items() if not value.isfinite()]
            place = first_non_finite(self, lambda: self._losses(clip, samples))
            names = ", ".join(map(sample_name, samples))
            raise NotFiniteError(
                f"loss {', '.join(bad) or 'of a head'} is not finite in samples {names}; it began in {place}. Lower "
                "the learning rate, train in float32 or bfloat16, or look at these samples; the weights are untouched"
            )
        return losses

    def _losses(self, clip: CameraClip, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        outputs = self._run_heads(self.extract_features(clip), list(self.heads))
        with torch.autocast(clip.device.type, enabled=False):
            return {
                f"{name}.{key}": value
                for name, output in outputs.items()
                for key, value in self.heads[name].loss(output, samples).items()
            }

    def train(self, mode: bool = True) -> BEVPerceptor:
        """As `nn.Module.train`; what was remembered of a video is forgotten, since an evaluation begins or ends."""
        if self.video is not None:
            self.video.reset()
        return super().train(mode)

    def predict(self, clip: CameraClip, samples: list[Det3DDataSample] | None = None) -> list[Det3DDataSample]:
        """Samples with what the heads predict, in the bev frame; heads that predict nothing are not run.

        Raises:
            InputError: In video test mode, if the batch holds several samples or a sample has no scene_token.
        """
        samples = samples or [Det3DDataSample() for _ in range(clip.batch_size)]
        memory = None if self.video is None else self.video.read(samples)
        features = self.extract_features(clip, memory=memory)
        if self.video is not None:
            self.video.write(features.memory)
        return self.predict_from_features(features, samples)

    def predict_from_features(self, features: ClipFeatures, samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Samples with what the heads predict, from what `extract_features` returned."""
        outputs = self._run_heads(features, [name for name, head in self.heads.items() if head.predicts])
        # What heads decode are metres and pixels, of which 16 bits keep too little.
        with torch.autocast(features.bev.map.device.type, enabled=False):
            for name, output in outputs.items():
                head = self.heads[name]
                for sample, prediction in zip(samples, head.predict(output, samples), strict=True):
                    setattr(sample, head.predicts, prediction)
        return samples

    def _dump_init_info(self) -> None:
        """Say nothing: mmengine would log a paragraph for every parameter at the start of a training."""

    def _run_heads(self, features: ClipFeatures, names: list[str]) -> dict[str, Any]:
        """Outputs of some heads by name."""
        outputs = {}
        if self.proposals_from is not None:
            first = self.heads[self.proposals_from]
            outputs[self.proposals_from] = first(features.images)
            bev = replace(features.bev, proposals=first.propose(outputs[self.proposals_from]))
            features = replace(features, bev=bev)
        sources: dict[str, Any] = {"bev": features.bev, "image": features.images, "both": features}
        rest = [name for name in names if name != self.proposals_from]
        outputs |= {name: self.heads[name](sources[self.heads[name].source]) for name in rest}
        return {name: outputs[name] for name in names}

    def extract_features(
        self,
        clip: CameraClip,
        pyramids: Sequence[Pyramid | None] | None = None,
        memory: BEVMemory | None = None,
    ) -> ClipFeatures:
        """BEV features of the whole clip and image features of its current frame.

        Args:
            clip: The normalised images and their calibration.
            pyramids: T entries, image features that are known already (as `extract_images` gives them) or None. Frames
                that have them don't go through the backbone.
            memory: Of the frame before the clip's first one, for recurrent models.
        """
        known: list[Pyramid | None] = [None] * clip.num_frames if pyramids is None else list(pyramids)
        # History first: without gradient its features are gone again before those of the current frame are made.
        with self._history_mode():
            history = self._history(clip)
            self._extract_history(clip, history, known)
            maps, memory = self._encode_history(clip, history, known, memory)
        current = clip.frame(clip.current)
        levels = known[clip.current]
        known.clear()
        levels = self.extract_images(current) if levels is None else levels
        if self.recurrent:
            plain = self._encode_recurrent(current, levels, memory)
            memory = BEVMemory.write(memory, plain.detach(), current)
        else:
            # A model without memory takes the vehicle's state as it is, as the published lane models do.
            can_bus = None if current.can_bus is None else current.can_bus[:, 0]
            plain = self.encode(current, levels, can_bus=can_bus)
        fused = resample_bev(plain, self.encoder.grid, clip.bev_augmentation)
        if self.temporal is not None and not self.recurrent:
            maps[clip.current] = fused
            fused = self.temporal(maps, clip.frame_mask, clip.current)
        images = ImageFeatures(levels=tuple(level[:, None] for level in levels), clip=current)
        return ClipFeatures(BEVFeatures(map=fused, grid=self.encoder.grid), images, memory)

    def extract_images(self, frame: CameraClip) -> Pyramid:
        """Feature levels (B, N, C, h_i, w_i) of a clip of one frame; zeros where there is no image."""
        return self._pyramid(frame.images[:, 0], frame.camera_mask[:, 0], frame.mirrored)

    def _pyramid(self, images: Tensor, mask: Tensor, mirrored: Tensor | None) -> Pyramid:
        """Feature levels (B, ..., C, h_i, w_i) of the images (B, ..., 3, H, W) that exist (B, ...); zeros for others.

        Those of `mirrored` samples (B,) are mirrored back.
        """
        maps = self.neck(self.backbone(images[mask]))
        if mirrored is not None:
            back = mirrored[mask.nonzero()[:, 0], None, None, None]
            maps = [torch.where(back, level.flip(-1), level) for level in maps]
        return [level.new_zeros(*mask.shape, *level.shape[1:]).index_put((mask,), level) for level in maps]

    def encode(
        self,
        frame: CameraClip,
        levels: Pyramid,
        previous: PreviousBEV | None = None,
        can_bus: Tensor | None = None,
    ) -> Tensor:
        """BEV map (B, C, H, W) of a clip of one frame, in the bev frame without augmentation."""
        return self.encoder(
            levels,
            frame.pix_T_bev[:, 0],
            frame.image_sizes[:, 0],
            frame.padded_size,
            frame.camera_mask[:, 0],
            previous,
            can_bus,
        )

    def _encode_recurrent(self, frame: CameraClip, levels: Pyramid, memory: BEVMemory | None) -> Tensor:
        """As `encode`, with what the memory holds."""
        recurrent = cast(RecurrentBEV, self.temporal)
        previous = None if memory is None else recurrent(memory, frame)
        return self.encode(frame, levels, previous, recurrent.can_bus(memory, frame))

    def _extract_history(self, clip: CameraClip, history: Sequence[int], known: list[Pyramid | None]) -> None:
        """Fill in the image features of history frames, several frames per pass through the backbone."""
        missing = [t for t in history if known[t] is None]
        step = self.history_frames_per_pass or max(len(missing), 1)
        for first in range(0, len(missing), step):
            frames = missing[first : first + step]
            levels = self._pyramid(clip.images[:, frames], clip.camera_mask[:, frames], clip.mirrored)
            for position, t in enumerate(frames):
                known[t] = [level[:, position] for level in levels]

    def _encode_history(
        self, clip: CameraClip, history: Sequence[int], pyramids: list[Pyramid | None], memory: BEVMemory | None
    ) -> tuple[list[Tensor | None], BEVMemory | None]:
        """Maps of the history frames in the current grid, or, of a recurrent model, the memory after them."""
        maps: list[Tensor | None] = [None] * clip.num_frames
        for t in history:
            levels = cast(Pyramid, pyramids[t])
            if self.recurrent:
                frame = clip.frame_in_own_bev(t)
                memory = BEVMemory.write(memory, self._encode_recurrent(frame, levels, memory), frame)
            else:
                maps[t] = resample_bev(self.encode(clip.frame(t), levels), self.encoder.grid, clip.bev_augmentation)
        return maps, memory

    def _history(self, clip: CameraClip) -> list[int]:
        """Frames other than the current one that at least one sample has."""
        if clip.num_frames == 1:  # without asking the device
            return []
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
            raise InputError(f"the clip has {clip.num_frames} frames, but the model has no temporal fusion")
        if self.recurrent and clip.current != clip.num_frames - 1:
            raise InputError("a recurrent model cannot see future frames: let frame_offsets end with 0")
        if self.train_history and clip.num_frames > 1 and self._synchronises():
            raise InputError(
                "train_history trains history frames, which some processes lack, through synchronised batch norms, for "
                "which all processes wait: set train_history=False, leave out sync_bn, or freeze these norms"
            )
        blind = (~clip.frame_mask[:, clip.current]).nonzero().flatten().tolist()
        if blind:
            names = ", ".join(sample_name(samples[b] if samples else None, b) for b in blind)
            raise InputError(f"no camera image in the current frame of sample {names}: leave it out of the batch")

    def _synchronises(self) -> bool:
        """Whether an encoded frame makes processes wait for each other."""
        parts = (part for root in (self.backbone, self.neck, self.encoder) for part in root.modules())
        return get_world_size() > 1 and any(isinstance(part, nn.SyncBatchNorm) and part.training for part in parts)


def _all_finite(losses: Mapping[str, Tensor]) -> bool:
    """Whether there are losses, and all of them are finite; waits for the device once."""
    return bool(losses) and bool(torch.stack([value.detach() for value in losses.values()]).isfinite().all())
