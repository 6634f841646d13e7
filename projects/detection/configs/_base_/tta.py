"""Test-time augmentation of box detectors: three scales, each also mirrored; soft NMS merges what they find.

The scales of the published results are not known; these are around the one that H and G are tested at.
"""

views = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")
tta_model = dict(
    type="DetTTAModel",
    tta_cfg=dict(nms=dict(type="soft_nms", iou_threshold=0.6, min_score=0.001, method="gaussian"), max_per_img=300),
)
tta_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="TestTimeAug",
        transforms=[
            [dict(type="Resize", scale=(2000, side), keep_ratio=True) for side in (800, 1000, 1200)],
            [dict(type="RandomFlip", prob=0.0), dict(type="RandomFlip", prob=1.0)],
            [dict(type="LoadAnnotations", with_bbox=True)],
            [dict(type="PackDetInputs", meta_keys=views)],
        ],
    ),
]
