"""Iterations instead of epochs, mmseg's scope, and the multi-scale test; the rest is what all experiments share."""

_base_ = ["../../../../configs/_base_/default_runtime.py"]

default_scope = "mmseg"
custom_imports = dict(imports=["projects.segmentation.transforms"])

default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=4000, save_best="mIoU", rule="greater"),
)
log_processor = dict(by_epoch=False)
env_cfg = dict(cudnn_benchmark=True)

val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
tta_model = dict(type="SegTTAModel")
