"""nuScenes' tracking metrics (AMOTA and its kin) through the official evaluation, on any set of samples."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.loaders import load_gt_of_sample_tokens, load_prediction_of_sample_tokens
from nuscenes.eval.tracking.data_classes import TrackingBox, TrackingConfig
from nuscenes.eval.tracking.evaluate import TrackingEval
from nuscenes.eval.tracking.loaders import create_tracks

from bev.datasets.nuscenes.index_tables import TablesError
from bev.evaluation.nuscenes_devkit import capped_ranges, filter_boxes

if TYPE_CHECKING:
    from nuscenes import NuScenes

CONFIGURATION = "tracking_nips_2019"
SPLIT = "evaluated"


class _OneSplit:
    """Tables that say that their scenes form one custom split; everything else is asked of the real ones."""

    def __init__(self, nusc: NuScenes, scenes: Sequence[str], folder: str) -> None:
        self._nusc, self.dataroot, self.version = nusc, folder, "tables"
        tables = Path(folder) / self.version
        tables.mkdir()
        (tables / "splits.json").write_text(json.dumps({SPLIT: list(scenes)}))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nusc, name)


class SampleSetTracking(TrackingEval):
    """The official evaluation of a given set of samples; the devkit's own constructor knows its splits only."""

    def __init__(
        self, nusc: NuScenes, config: TrackingConfig, results_path: str | os.PathLike, tokens: Sequence[str]
    ) -> None:
        self.cfg, self.eval_set, self.verbose = config, SPLIT, False
        self.output_dir, self.render_classes = None, None  # nothing is drawn
        predicted, self.meta = load_prediction_of_sample_tokens(
            str(results_path), config.max_boxes_per_sample, TrackingBox, list(tokens)
        )
        truth = load_gt_of_sample_tokens(nusc, list(tokens), TrackingBox)
        predicted, truth = (filter_boxes(nusc, boxes, config.class_range) for boxes in (predicted, truth))
        self.sample_tokens = truth.sample_tokens
        scenes = {nusc.get("scene", nusc.get("sample", token)["scene_token"])["name"] for token in tokens}
        with tempfile.TemporaryDirectory() as folder:
            tables = _OneSplit(nusc, sorted(scenes), folder)
            self.tracks_gt = create_tracks(truth, tables, SPLIT, gt=True)
            self.tracks_pred = create_tracks(predicted, tables, SPLIT, gt=False)


def evaluate_tracking(
    results_path: str | os.PathLike, nusc: NuScenes, tokens: Sequence[str], class_range_cap: float | None = None
) -> dict[str, Any]:
    """AMOTA, AMOTP, MOTA, identity switches and the other numbers of the official evaluation.

    Args:
        results_path: Tracking submission.
        nusc: Opened tables with annotations.
        tokens: Samples to evaluate: whole scenes.
        class_range_cap: Cuts each class's official range at this many metres.

    Returns:
        The devkit's summary: means over the classes that occur (`amota`, `amotp`, `mota`, `motp`, `ids`, ...), and
        `label_metrics`, the same for each class.

    Raises:
        TablesError: If the tables have no annotations.
    """
    if not nusc.sample_annotation:
        raise TablesError(f"{nusc.version} has no annotations to evaluate tracks against")
    settings = capped_ranges(config_factory(CONFIGURATION).serialize(), class_range_cap)
    # The devkit prints progress whatever one asks for, and divides by zero for classes without tracks.
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        metrics, _ = SampleSetTracking(nusc, TrackingConfig.deserialize(settings), results_path, tokens).evaluate()
    return metrics.serialize()
