"""Detection from several views of a sample: test-time augmentation, merged in the bev frame.

Shapes: V views (augmentations), M boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import nn

from bev.errors import InputError
from bev.geometry import scale_transform_boxes
from bev.geometry.fusion import BoxFusion
from bev.structures.boxes import boxes_of_gravity, gravity_array


@MODELS.register_module()
class AugmentedDetection(BaseTTAModel):
    """Runs a model on each view of a sample and fuses the detections.

    Views come from mmcv's `TestTimeAug`. Their detections are taken back by the sample's `aug_T_bev`, which transforms
    of the bev frame leave there; images may be flipped or resized in any way, since boxes don't depend on it.

    Args:
        module: The model, or its config.
        data_preprocessor: For a model without one of its own.
        method: "wbf" or "nms" (see `BoxFusion`).
        iou_threshold: Boxes of a class that overlap more on the ground are one object.
        max_num: Most detections per sample.

    Raises:
        InputError: If the model remembers samples, or predicts more than boxes.
    """

    def __init__(
        self,
        module: nn.Module | dict,
        data_preprocessor: nn.Module | dict | None = None,
        method: str = "wbf",
        iou_threshold: float = 0.3,
        max_num: int = 300,
    ) -> None:
        super().__init__(module, data_preprocessor)
        inner: Any = self.module.module if is_model_wrapper(self.module) else self.module
        if getattr(inner, "video", None) is not None:
            raise InputError(
                "a model in video_test_mode remembers one view of a scene and can't look at several in turn; set "
                "model.video_test_mode=False and give the data set frame_offsets with history"
            )
        predicted: set[Any] = {head.predicts for head in getattr(inner, "heads", nn.ModuleDict()).values()}
        others = predicted - {None, "pred_instances_3d"}
        if others:
            raise InputError(f"test-time augmentation merges boxes alone, but the model makes {', '.join(others)}")
        self.method, self.iou_threshold, self.max_num = method, iou_threshold, max_num

    @torch.no_grad()
    def merge_preds(self, data_samples_list: Sequence[Sequence[Det3DDataSample]]) -> list[Det3DDataSample]:
        """Samples with the merged detections, in the bev frame without augmentation.

        Args:
            data_samples_list: B samples of V views each, with `pred_instances_3d` and, in their metainfo, `aug_T_bev`
                (4, 4) where the bev frame was augmented.
        """
        return [self._merge(views) for views in data_samples_list]

    def _merge(self, views: Sequence[Det3DDataSample]) -> Det3DDataSample:
        boxes = [_boxes_in_bev(view) for view in views]
        scores, labels = (
            np.concatenate([view.pred_instances_3d[name].cpu().numpy() for view in views])
            for name in ("scores_3d", "labels_3d")
        )
        sources = np.repeat(np.arange(len(views)), [len(part) for part in boxes])
        fusion = BoxFusion((1.0,) * len(views), self.iou_threshold, self.method)
        fused = fusion(np.concatenate(boxes), scores, labels, sources)
        best = slice(self.max_num)
        metainfo: Mapping[str, Any] = {**views[0].metainfo, "aug_T_bev": np.eye(4)}
        merged = Det3DDataSample(metainfo=metainfo)
        merged.pred_instances_3d = InstanceData(
            bboxes_3d=boxes_of_gravity(fused.boxes[best]),
            scores_3d=torch.from_numpy(fused.scores[best]).float(),
            labels_3d=torch.from_numpy(fused.labels[best]),
        )
        return merged


def _boxes_in_bev(view: Det3DDataSample) -> np.ndarray:
    """Gravity boxes (M, 9) of a view in the bev frame without augmentation."""
    gravity = gravity_array(view.pred_instances_3d.bboxes_3d)
    aug_T_bev = view.metainfo.get("aug_T_bev")
    return gravity if aug_T_bev is None else scale_transform_boxes(gravity, np.linalg.inv(aug_T_bev))
