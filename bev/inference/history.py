"""What a live model keeps of the past: image features, or BEV maps, and where they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from bev.errors import InputError
from bev.structures import BEVMemory, CameraClip

SPACING = 0.2
"""How far apart frames may be after thinning, as a part of their age.

A frame that stands in for another one half a second ago must not be far from it, since the model was trained to read
velocities from that time; further back the same error matters less.
"""


@dataclass
class Frame:
    """One moment.

    Attributes:
        time: Seconds.
        clip: B = T = 1, projections (float64) from its own bev frame; no pixels where features are kept.
        pyramid: Image features (1, N, C, h, w) per level; None where the images are kept instead.
        memory: What a recurrent model remembers after it; None for others.
        cameras: Names of the camera axis.
    """

    time: float
    clip: CameraClip
    pyramid: list[Tensor] | None
    memory: BEVMemory | None = None
    cameras: tuple[str, ...] = ()


class History:
    """Frames of one drive, found again by their time.

    Faster streams than the offsets need are thinned: of three frames in a row the middle one goes where the outer two
    are at most `spacing(age)` apart. So `find` gives the frame that is nearest of all there were, or one no further
    from the wanted time than half of that spacing: at most a tenth of the offset, half of the tolerance and half of the
    smallest step between offsets. How many frames are kept does not depend on the rate: for a clip of eight half a
    second apart at most 38, and 30 at 30 frames per second. Frames as far apart as the offsets all stay.

    Args:
        offsets: Seconds relative to now of the frames that the model looks at, without now itself.
        tolerance: How far from the wanted time a frame may be, seconds.
    """

    def __init__(self, offsets: Sequence[float], tolerance: float) -> None:
        self.offsets, self.tolerance = tuple(offsets), tolerance
        self._frames: list[Frame] = []
        times = sorted((*self.offsets, 0.0))
        self._step = min((after - before for before, after in pairwise(times)), default=0.0)
        self._nearest_offset = min(map(abs, self.offsets), default=0.0)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def last(self) -> Frame | None:
        """The newest frame."""
        return self._frames[-1] if self._frames else None

    def add(self, frame: Frame) -> None:
        """Remember a frame, and forget those that no later one can ask for."""
        if not self.offsets:
            self._frames = [frame]
            return
        oldest = frame.time + min(self.offsets) - self.tolerance
        frames = [past for past in self._frames if past.time >= oldest] + [frame]
        kept = frames[:1]
        for middle, after in pairwise(frames[1:]):
            if after.time - kept[-1].time > self.spacing(frame.time - after.time):
                kept.append(middle)
        self._frames = kept + frames[1:][-1:]

    def spacing(self, age: float) -> float:
        """How far apart frames of so many seconds ago may become, seconds."""
        return min(self.tolerance, self._step, SPACING * max(age, self._nearest_offset))

    def find(self, now: float) -> list[Frame | None]:
        """For each offset the frame nearest to that time; None where none is near enough."""
        return [self._nearest(now + offset) for offset in self.offsets]

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()

    def _nearest(self, time: float) -> Frame | None:
        best = min(self._frames, key=lambda frame: abs(frame.time - time), default=None)
        return best if best is not None and abs(best.time - time) <= self.tolerance else None


def join(frames: Sequence[Frame | None], current: Frame) -> tuple[CameraClip, list[list[Tensor] | None]]:
    """The clip of past frames and the current one, last, and their image features.

    Args:
        frames: Older ones, oldest first; None for missing ones.
        current: Now.

    Returns:
        A clip whose projections lead from the current bev frame, with pixels only where features are missing, and T
        pyramids.

    Raises:
        InputError: If images are kept instead of features and their size changed.
    """
    now = current.clip
    parts = [_seen_from(frame, current) for frame in frames] + [now]
    names = ("image_sizes", "pix_T_bev", "camera_mask", "times", "global_T_bev", "can_bus")
    joined = {name: torch.cat([getattr(part, name) for part in parts], dim=1) for name in names}
    joined["pix_T_bev"] = joined["pix_T_bev"].float()
    if current.pyramid is not None:
        images = now.images.new_zeros(()).expand(1, len(parts), *now.images.shape[2:])
    elif len({part.padded_size for part in parts}) == 1:
        images = torch.cat([part.images for part in parts], dim=1)
    else:
        raise InputError("the size of the images changed: keep features (keep_features=True), or reset")
    clip = replace(now, images=images, current=len(parts) - 1, **joined)
    return clip, [None if frame is None else frame.pyramid for frame in (*frames, current)]


def without_pixels(clip: CameraClip) -> CameraClip:
    """The clip with images that take no memory."""
    return replace(clip, images=clip.images.new_zeros(()).expand_as(clip.images))


def _seen_from(frame: Frame | None, current: Frame) -> CameraClip:
    """A frame's clip with projections from the current bev frame; without cameras where there is no frame."""
    if frame is None:
        return replace(current.clip, camera_mask=torch.zeros_like(current.clip.camera_mask))
    clip = frame.clip
    frame_T_current = torch.linalg.solve(clip.global_T_bev, current.clip.global_T_bev)
    projections = clip.pix_T_bev @ frame_T_current[:, :, None]
    times = torch.full_like(clip.times, frame.time - current.time)
    if clip.padded_size == current.clip.padded_size:
        return replace(clip, pix_T_bev=projections, times=times)
    # The features cover images padded to another size: what counts is where in them, not how many pixels that was.
    old, new = (projections.new_tensor(size) for size in (clip.padded_size, current.clip.padded_size))
    factor = new / old
    scale = torch.diag(torch.cat([factor.flip(0), factor.new_ones(2)]))
    return replace(clip, pix_T_bev=scale @ projections, image_sizes=clip.image_sizes * factor, times=times)
