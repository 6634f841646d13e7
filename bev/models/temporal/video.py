"""The memory of a recurrent model between samples that come one after the other, as in evaluation on video."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet3d.structures import Det3DDataSample

from bev.errors import InputError
from bev.structures import BEVMemory


class VideoMemory:
    """Remembers the last sample's map for as long as samples come from one scene, each later than the one before."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._scene: str | None = None
        self._time: float | None = None
        self._memory: BEVMemory | None = None

    def read(self, samples: Sequence[Det3DDataSample]) -> BEVMemory | None:
        """The memory that the next sample may use; None where a scene begins, be it the same one anew.

        Raises:
            InputError: If the batch holds several samples, which would be consecutive frames, or the sample has no
                scene_token.
        """
        if len(samples) != 1:
            raise InputError(f"video_test_mode takes one sample at a time, not {len(samples)}: set batch_size to 1")
        scene = samples[0].metainfo.get("scene_token")
        if not scene:
            raise InputError("video_test_mode needs the scene_token of every sample; build the index with create_data")
        time = samples[0].metainfo.get("timestamp")
        if scene != self._scene or not _is_later(time, self._time):
            self._memory = None
        self._scene, self._time = scene, time
        return self._memory

    def write(self, memory: BEVMemory | None) -> None:
        """Keep what the model remembers after the sample that was read for."""
        self._memory = memory

    def reset(self) -> None:
        """Forget everything."""
        self._scene = self._time = self._memory = None


def _is_later(time: float | None, last: float | None) -> bool:
    """Whether a sample follows the last one; of samples that don't tell their time, the order counts."""
    return time is None or last is None or time > last
