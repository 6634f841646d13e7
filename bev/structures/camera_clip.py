"""A batch of clips from several cameras, and how single samples are stacked into one.

Shapes: B batch, T frames, N cameras, H, W height and width that all images of the batch are padded to.
A single sample, before collation, is the same structure without the B axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from bev.errors import InputError
from bev.geometry.can_bus import CAN_BUS_SIZE

OPTIONAL = ("global_T_bev", "can_bus", "mirrored")


@dataclass(eq=False)
class CameraClip:
    """Images of T frames and N cameras with the projections that place them in the current sample's bev frame.

    Cameras may be missing, and their number and image sizes may differ between the samples of a batch and inside one
    sample: `camera_mask` says which entries hold an image, `image_sizes` how much of it is not padding.

    Attributes:
        images: (B, T, N, 3, H, W), uint8 as loaded and float32 once normalised; zero in the padding (right, bottom).
        image_sizes: (B, T, N, 2) int64, valid height and width in pixels.
        pix_T_bev: (B, T, N, 4, 4) float32, homogeneous metres in the current sample's bev frame to (u d, v d, d, 1)
            in pixels and metres of depth; ego motion and image augmentation are part of it.
        camera_mask: (B, T, N) bool, True where there is an image.
        times: (B, T) float32, seconds relative to the current frame.
        current: Index of the current frame on the T axis, the same for all samples.
        bev_augmentation: (B, 4, 4) float32, `aug_T_bev`: what BEV features must still undergo to match the ground
            truth; the identity where nothing is left to do.
        global_T_bev: (B, T, 4, 4) float64, where each frame's own bev frame was. What recurrent models need; None where
            it is not known.
        can_bus: (B, T, 18) float64, the vehicle's state as BEVFormer v1 takes it (see `bev.geometry.can_bus`); None
            where no model asks for it.
        mirrored: (B,) bool, samples whose images are mirrored left to right on their way through the backbone, padding
            included, while projections are those of the images as they were: their features are mirrored back. None
            where there are none.
    """

    images: Tensor
    image_sizes: Tensor
    pix_T_bev: Tensor
    camera_mask: Tensor
    times: Tensor
    current: int
    bev_augmentation: Tensor
    global_T_bev: Tensor | None = None
    can_bus: Tensor | None = None
    mirrored: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that all tensors agree on B, T and N."""
        cameras, frames = self.images.shape[:-3], self.images.shape[:-4]
        expected = {
            "image_sizes": (*cameras, 2),
            "pix_T_bev": (*cameras, 4, 4),
            "camera_mask": tuple(cameras),
            "times": tuple(frames),
            "bev_augmentation": (*frames[:-1], 4, 4),
            "global_T_bev": (*frames, 4, 4),
            "can_bus": (*frames, CAN_BUS_SIZE),
            "mirrored": tuple(frames[:-1]),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            found = None if value is None else tuple(value.shape)
            if found != shape and (found is not None or name not in OPTIONAL):
                raise InputError(
                    f"CameraClip.{name} has shape {found}, but images of {tuple(self.images.shape)} need {shape}"
                )
        if not 0 <= self.current < frames[-1]:
            raise InputError(f"CameraClip.current is {self.current}, but the clip has {frames[-1]} frames")

    @property
    def batch_size(self) -> int:
        """B."""
        return self.images.shape[-6]

    @property
    def num_frames(self) -> int:
        """T."""
        return self.images.shape[-5]

    @property
    def num_cameras(self) -> int:
        """N, absent cameras included."""
        return self.images.shape[-4]

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of the image tensor."""
        return self.images.shape[-2], self.images.shape[-1]

    @property
    def device(self) -> torch.device:
        """Device of the images."""
        return self.images.device

    @property
    def frame_mask(self) -> Tensor:
        """(B, T) bool, True where a frame has at least one image."""
        return self.camera_mask.any(dim=-1)

    @property
    def current_mask(self) -> Tensor:
        """(B, N) bool, True where the current frame has an image."""
        return self.camera_mask[:, self.current]

    @property
    def bev_T_aug(self) -> Tensor:
        """(B, 4, 4), from the augmented bev frame, which ground truth and predictions are in."""
        return torch.linalg.inv(self.bev_augmentation.double()).to(self.bev_augmentation.dtype)

    def add_batch_axis(self) -> CameraClip:
        """A single sample (no B axis) as a batch of one."""
        return self._map(lambda tensor: tensor[None])

    def frame(self, t: int) -> CameraClip:
        """The clip of frame t alone, with projections from the current sample's bev frame."""
        part = slice(t, t + 1)
        return replace(
            self,
            images=self.images[:, part],
            image_sizes=self.image_sizes[:, part],
            pix_T_bev=self.pix_T_bev[:, part],
            camera_mask=self.camera_mask[:, part],
            times=self.times[:, part],
            current=0,
            global_T_bev=None if self.global_T_bev is None else self.global_T_bev[:, part],
            can_bus=None if self.can_bus is None else self.can_bus[:, part],
        )

    def frame_in_own_bev(self, t: int) -> CameraClip:
        """The clip of frame t alone, with projections from that frame's own bev frame.

        Raises:
            InputError: If the clip does not know where its frames were.
        """
        if t == self.current:
            return self.frame(t)
        if self.global_T_bev is None:
            raise InputError("the clip has no global_T_bev, which says where the bev frames of its frames were")
        bev_T_frame = torch.linalg.solve(self.global_T_bev[:, self.current], self.global_T_bev[:, t])
        frame = self.frame(t)
        projections = frame.pix_T_bev.double() @ bev_T_frame[:, None, None]
        return replace(frame, pix_T_bev=projections.to(frame.pix_T_bev.dtype))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> CameraClip:
        """Return the clip on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> CameraClip:
        """Return the clip in page-locked memory; torch's DataLoader calls this where `pin_memory=True`."""
        return self._map(Tensor.pin_memory)

    def select_samples(self, indices: Sequence[int] | slice | Tensor) -> CameraClip:
        """Return the clips of some samples of the batch, in the order given."""
        if not isinstance(indices, (slice, Tensor)):
            indices = torch.as_tensor(indices, dtype=torch.long, device=self.device)
        return self._map(lambda tensor: tensor[indices])

    def _map(self, function: Callable[[Tensor], Tensor]) -> CameraClip:
        """Apply `function` to every tensor."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {name: function(v) for name, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **changed)


def stack_clips(samples: Sequence[CameraClip]) -> CameraClip:
    """Stack single samples (no B axis) into a batch, padding images and cameras to the largest of them.

    An added camera has `camera_mask` False, size 0, a black image, and an identity projection, which is finite and
    never used.

    Raises:
        InputError: If there is no sample, or the samples differ in their number of frames, current frame or dtype.
    """
    if not samples:
        raise InputError("no sample to stack")
    kinds = {(clip.num_frames, clip.current, clip.images.dtype) for clip in samples}
    if len(kinds) > 1:
        described = ", ".join(f"{frames} frames, current {current}, {dtype}" for frames, current, dtype in kinds)
        raise InputError(f"clips of one batch must have the same frames and image type, but there are: {described}")

    cameras = max(clip.num_cameras for clip in samples)
    height, width = (max(sizes) for sizes in zip(*(clip.padded_size for clip in samples), strict=True))
    return CameraClip(
        images=_stack_padded([clip.images for clip in samples], (cameras, 3, height, width)),
        image_sizes=_stack_padded([clip.image_sizes for clip in samples], (cameras, 2)),
        pix_T_bev=_stack_projections([clip.pix_T_bev for clip in samples], cameras),
        camera_mask=_stack_padded([clip.camera_mask for clip in samples], (cameras,)),
        times=torch.stack([clip.times for clip in samples]),
        current=samples[0].current,
        bev_augmentation=torch.stack([clip.bev_augmentation for clip in samples]),
        **{name: _stack_optional([getattr(clip, name) for clip in samples], name) for name in OPTIONAL},
    )


def _stack_optional(tensors: Sequence[Tensor | None], name: str) -> Tensor | None:
    """Stack what all samples or none have."""
    present = [tensor for tensor in tensors if tensor is not None]
    if present and len(present) < len(tensors):
        raise InputError(f"some clips of the batch have {name} and some have not")
    return torch.stack(present) if present else None


def _stack_padded(tensors: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    """Stack (T, ...) tensors into (B, T, *shape), zero (False) beyond each one's own extent."""
    if all(tensor.shape[1:] == shape for tensor in tensors):
        return torch.stack(list(tensors))
    stacked = tensors[0].new_zeros((len(tensors), tensors[0].shape[0], *shape))
    for target, tensor in zip(stacked, tensors, strict=True):
        extent = tuple(slice(size) for size in tensor.shape)
        target[extent] = tensor
    return stacked


def _stack_projections(matrices: Sequence[Tensor], cameras: int) -> Tensor:
    """Stack (T, N_i, 4, 4) matrices into (B, T, cameras, 4, 4), identity for added cameras."""
    stacked = torch.eye(4, dtype=matrices[0].dtype, device=matrices[0].device)
    stacked = stacked.repeat(len(matrices), matrices[0].shape[0], cameras, 1, 1)
    for target, matrix in zip(stacked, matrices, strict=True):
        target[:, : matrix.shape[1]] = matrix
    return stacked
