"""The nano BEVFormer v2 on the synthetic world as nuScenes: what `make demo` runs."""

_base_ = ["_base_/bevformerv2_nano.py"]

data_root = "data/synthetic"
detection_range = _base_.detection_range
frame_offsets = (0,)

crop = (0, 66, 352, 198)  # native pixels of the synthetic images, which are 352 x 198
train_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="ResizeCropFlipImages", crop=crop, size=(96, 256)),
    dict(type="BoxRangeFilter", radius=detection_range),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="ResizeCropFlipImages", crop=crop, size=(96, 256), training=False),
    dict(type="PackClip"),
]
dataset = dict(data_root=data_root, frame_offsets=frame_offsets)
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(data_root=data_root, class_range_cap=detection_range)
test_evaluator = val_evaluator
