"""A small Mask R-CNN that learns two images by heart in a minute on one CPU core."""

_base_ = ["_base_/mask_rcnn.py", "_base_/coco_sample.py", "_base_/runtime.py"]

dims = 48
model = dict(
    backbone=dict(
        channels=24,
        depths=(1, 1, 1, 1),
        groups=(2, 4, 8, 16),
        layer_scale=None,
        drop_path_rate=0.0,
    ),
    neck=dict(in_channels=[24, 48, 96, 192], out_channels=dims),
    rpn_head=dict(in_channels=dims, feat_channels=dims, anchor_generator=dict(scales=[2])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=dims),
        bbox_head=dict(in_channels=dims, fc_out_channels=256),
        mask_roi_extractor=dict(out_channels=dims),
        mask_head=dict(in_channels=dims, conv_out_channels=dims, num_convs=2),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=200)),
)
count_size = (320, 320)
