"""Mask2Former with InternImage-H on ADE20K, from the weights of COCO-Stuff 164K; published on 16 GPUs of 1 image."""

_base_ = ["_base_/mask2former_wide.py", "_base_/ade20k_896.py", "_base_/schedule_80k.py"]

from projects.segmentation import pipelines

model = dict(data_preprocessor=dict(size=_base_.crop_size))
optim_wrapper = dict(optimizer=dict(lr=1e-5), clip_grad=dict(max_norm=0.1, norm_type=2))
train_dataloader = dict(batch_size=1)
tta_pipeline = pipelines.tta_pipeline(_base_.scale, [side / 896 for side in (768, 832, 896, 960, 1024)])

published = dict(
    parameters=1.31e9,
    multiply_adds=4635e9,
    result="62.6 / 62.9 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
    note="the authors' G leave out attention and the products of queries and pixels; arXiv 2211.05778 has 62.5 / 62.9",
)
