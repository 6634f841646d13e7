"""BEVFormer v2 with ResNet-50, one frame, no group DETR, images as they are: val NDS 42.6, mAP 35.1, as published."""

_base_ = ["bevformerv2_r50_t1.py"]

published = dict(result="42.6 / 35.1", source="its repository")

model = dict(heads=dict(detection=dict(decoder=dict(queries=dict(num_groups=1)))))
train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", crop=_base_.crop, heights=[640]),
    dict(type="BoxRangeFilter", bounds=_base_.bev_bounds),
    dict(type="PackClip"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
