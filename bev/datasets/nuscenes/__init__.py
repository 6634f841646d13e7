"""nuScenes: index, dataset, ground truth and submission."""

from bev.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES

__all__ = ["ATTRIBUTES", "CAMERAS", "CLASSES"]
