"""What all painters of an index's samples share: they read the images, and draw one sample or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from bev.datasets.clip_dataset import ClipDataset
from bev.datasets.image_files import ImageReadError
from bev.datasets.nuscenes.dataset import NuScenesClipDataset
from bev.structures.clip import Camera
from bev.transforms import LoadMultiCameraImages, UndistortImages


class SamplePainter(ABC):
    """Draws the samples of an index.

    Args:
        index: Index file, as `tools/create_data.py` writes it.
        root: Data root that its paths start from.
        threads: Threads that decode images.
        **options: Further arguments of the data set.
    """

    dataset_type: ClassVar[type[ClipDataset]] = NuScenesClipDataset

    def __init__(self, index: str | Path, root: str | Path, threads: int = 1, **options: Any) -> None:
        self._dataset = self.dataset_type(
            ann_file=str(Path(index).absolute()),
            data_root=str(root),
            pipeline=[LoadMultiCameraImages(num_threads=threads), UndistortImages()],
            test_mode=True,
            **options,
        )

    def __len__(self) -> int:
        return len(self._dataset)

    def scene_of(self, number: int) -> str:
        """Scene token of a sample."""
        return self._dataset.scene_of(number)

    def token_of(self, number: int) -> str:
        """Token of a sample."""
        return self._dataset.get_data_info(number)["sample_token"]

    @cached_property
    def cameras(self) -> dict[str, tuple[int, int]]:
        """The cameras of the index, in their order, with the height and width of their images in pixels."""
        found: dict[str, tuple[int, int]] = {}
        names = self._dataset.metainfo["camera_names"]
        for number in range(len(self)):
            for name, camera in self._cameras_of(number).items():
                found.setdefault(name, (camera["height"], camera["width"]))
            if len(found) >= len(names):
                break
        return {name: found[name] for name in names if name in found}

    def has_images(self, number: int) -> bool:
        """Whether the files with the images of a sample are there; those behind URLs are taken to be."""
        paths = {camera["path"] for camera in self._cameras_of(number).values()}
        return all("://" in path or Path(path).is_file() for path in paths)

    @abstractmethod
    def draw(self, number: int, width: int) -> np.ndarray:
        """Draw one sample, at a width in pixels: RGB (H, W, 3) uint8."""

    def frames(self, numbers: Sequence[int], width: int) -> Iterator[np.ndarray]:
        """Draw several samples, one after the other."""
        for number in numbers:
            yield self.draw(number, width)

    def _load(self, number: int) -> tuple[dict, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Clip of a sample, and by camera the RGB image and the (4, 4) projection from bev metres to its pixels.

        Raises:
            ImageReadError: An image can't be read; without the loader's advice, which is for configs.
        """
        try:
            clip = self._dataset[number]
        except ImageReadError as error:
            raise ImageReadError(f"{error.__cause__ or error}; sample {self.token_of(number)}") from error
        cameras = clip["frames"][clip["current"]]["cameras"]
        images = {name: cv2.cvtColor(camera["image"], cv2.COLOR_BGR2RGB) for name, camera in cameras.items()}
        return clip, images, {name: camera["pix_T_bev"] for name, camera in cameras.items()}

    def _cameras_of(self, number: int) -> dict[str, Camera]:
        """The cameras of a sample, images not loaded."""
        clip = self._dataset.get_data_info(number)
        return clip["frames"][clip["current"]]["cameras"]
