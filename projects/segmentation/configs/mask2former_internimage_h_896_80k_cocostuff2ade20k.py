"""Mask2Former with InternImage-H on ADE20K, from the weights of COCO-Stuff 164K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former_wide.py", "_base_/ade20k_896.py", "_base_/schedule_80k.py"]

num_classes = 150
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=num_classes, loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-5),
    paramwise_cfg=dict(layer_decay_rate=0.95),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
train_dataloader = dict(batch_size=1)

tta_ratios = (768 / 896, 832 / 896, 1.0, 960 / 896, 1024 / 896)
tta_sizes = [
    dict(type="Resize", scale=(round(3584 * ratio), round(896 * ratio)), keep_ratio=True) for ratio in tta_ratios
]
tta_pipeline = [
    _base_.load_image,
    dict(
        type="TestTimeAug", transforms=[tta_sizes, [_base_.whole_strides], _base_.both_directions, *_base_.finish_tta]
    ),
]

count_size = (896, 896)
published = dict(
    parameters=1.31e9,
    multiply_adds=4635e9,
    result="62.6 / 62.9 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the authors' G leave out attention and the products of queries and pixels; arXiv 2211.05778 has 62.5 / 62.9",
)
