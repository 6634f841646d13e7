"""Loading the images of all cameras and frames of a clip."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS

from bev.datasets.image_files import FilePart, ImageReadError, read_image
from bev.datasets.parquet_files import ParquetCell
from bev.errors import InputError
from bev.geometry import image_affine
from bev.structures.clip import Camera, Clip, replace_image


@TRANSFORMS.register_module()
class LoadMultiCameraImages:
    """Reads the images of all valid frames as uint8 BGR and adjusts the projections to the decoded size.

    An image is a file, or a part of one: of a file of records, for example, which is read in place.

    An unreadable image is an error that names file, camera and sample. Where the dataset says
    `on_error='skip-frame'` instead, a frame of the history (or future) with such an image becomes invalid, and the
    current frame goes on without the camera; each image is logged once per worker.

    Args:
        num_threads: Threads that decode in parallel (OpenCV releases the interpreter); 1 decodes in the caller.
        min_decode_scale: The largest factor by which later transforms resize. JPEGs are decoded at 1/8, 1/4, 1/2 or
            full size, the smallest that is not below it, which is several times faster; 1 decodes in full.
    """

    def __init__(self, num_threads: int = 1, min_decode_scale: float = 1.0) -> None:
        if num_threads < 1:
            raise InputError(f"num_threads must be at least 1, not {num_threads}")
        if min_decode_scale <= 0:
            raise InputError(f"min_decode_scale must be positive, not {min_decode_scale}")
        self.num_threads = num_threads
        self.min_decode_scale = min_decode_scale
        self._logged: set[tuple[str, FilePart | ParquetCell | None]] = set()

    def __call__(self, clip: Clip) -> Clip:
        """Add `image` and `decode_scale` to every camera of the valid frames.

        Raises:
            ImageReadError: If an image cannot be read and must not be skipped, or the current frame has no camera left.
        """
        jobs = [
            (index, name, camera)
            for index, frame in enumerate(clip["frames"])
            if frame["valid"]
            for name, camera in frame["cameras"].items()
        ]
        read = self._read_all([camera for _, _, camera in jobs])
        for (index, name, camera), loaded in zip(jobs, read, strict=True):
            if isinstance(loaded, ImageReadError):
                self._handle_failure(clip, index, name, loaded)
            else:
                image, divisor = loaded
                camera["decode_scale"] = 1 / divisor
                replace_image(clip, index, name, image, image_affine(scale=(1 / divisor, 1 / divisor)))
        if not clip["frames"][clip["current"]]["cameras"]:
            raise ImageReadError(
                f"sample {clip['sample_token']}: no camera image of the current frame can be read "
                "(the messages above name the files); restore them or remove the sample from the index"
            )
        return clip

    def _read_all(self, cameras: list[Camera]) -> list[tuple[np.ndarray, int] | ImageReadError]:
        """Read all images; failures are returned in their place."""
        if self.num_threads == 1 or len(cameras) < 2:
            return [self._read(camera) for camera in cameras]
        # A pool of its own for every call costs 0.1 ms per thread and survives forks, which a kept one does not.
        with ThreadPoolExecutor(min(self.num_threads, len(cameras))) as pool:
            return list(pool.map(self._read, cameras))

    def _read(self, camera: Camera) -> tuple[np.ndarray, int] | ImageReadError:
        try:
            size = (camera["height"], camera["width"])
            return read_image(camera["path"], size, self.min_decode_scale, camera.get("part"))
        except ImageReadError as error:
            return error

    def _handle_failure(self, clip: Clip, index: int, name: str, error: ImageReadError) -> None:
        """Raise, or log and drop what cannot be used."""
        frame = clip["frames"][index]
        message = f"{error}; camera {name}, sample {frame['token']}"
        if clip.get("on_error", "raise") == "raise":
            raise ImageReadError(
                f"{message}. Restore the file, or set on_error='skip-frame' in the dataset to go on without it"
            ) from error
        camera = frame["cameras"][name]
        image = (camera["path"], camera.get("part"))
        if index == clip["current"]:
            consequence = "the sample goes on without this camera"
            del frame["cameras"][name]
        else:
            consequence = "the frame is left out of its clips"
            frame["valid"] = False
        if image not in self._logged:
            self._logged.add(image)
            print_log(f"{message}: {consequence}", logger="current", level=logging.WARNING)
