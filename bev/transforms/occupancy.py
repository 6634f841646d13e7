"""Loading of occupancy labels."""

from __future__ import annotations

from mmengine.registry import TRANSFORMS

from bev.datasets.occ3d.labels import read_labels
from bev.errors import InputError
from bev.structures.clip import Clip


@TRANSFORMS.register_module()
class LoadOccupancy:
    """Reads the labels at `occupancy_path` into `gt_occupancy`; put it before transforms of the bev frame."""

    def __call__(self, clip: Clip) -> Clip:
        """Read.

        Raises:
            OccupancyLabelError: If the file is missing or damaged.
            InputError: If the data set was not told to look for labels.
        """
        if clip.get("occupancy_path") is None:
            raise InputError(f"sample {clip['sample_token']} has no occupancy labels: give the data set occupancy=True")
        clip["gt_occupancy"] = read_labels(clip["occupancy_path"])
        return clip
