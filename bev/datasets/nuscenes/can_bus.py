"""The CAN bus expansion of nuScenes: what the vehicle measured about its own motion."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bev.datasets.text_files import read_json
from bev.errors import InputError

FOLDER = "can_bus"  # of the data root, as the expansion unpacks
MEASURED = ("accel", "rotation_rate", "vel")  # m/s^2, rad/s, m/s in the vehicle's frame, three numbers each


class CanBusError(InputError):
    """A CAN bus file that cannot be used."""


class SceneMotion:
    """Measurements of one scene.

    Args:
        root: Data root.
        scene: Name, such as scene-0103.

    Raises:
        CanBusError: If the file is damaged.
    """

    def __init__(self, root: str | os.PathLike, scene: str) -> None:
        path = Path(root) / FOLDER / f"{scene}_pose.json"
        messages = []
        if path.is_file():
            messages = read_json(path, list, "unpack it again", CanBusError)
            try:
                self._times = np.array([message["utime"] for message in messages], dtype=np.int64)
                rows = [[number for key in MEASURED for number in message[key]] for message in messages]
                self._values = np.array(rows, dtype=np.float64).reshape(len(messages), 9)
            except (ValueError, KeyError, TypeError) as error:
                raise CanBusError(
                    f"{path}: not a pose file of the CAN bus expansion ({error!r}); unpack it again"
                ) from error
        self.recorded = bool(messages)

    def at(self, microseconds: int) -> list[float] | None:
        """Acceleration, rotation rate and velocity, nine numbers, as of the first message after a time.

        After the last message that one counts: so BEVFormer's published weights were trained. None for scenes without
        recording (nuScenes withdrew some, and publishes none for the test set).
        """
        if not self.recorded:
            return None
        row = min(int(np.searchsorted(self._times, microseconds, side="right")), len(self._times) - 1)
        return self._values[row].tolist()
