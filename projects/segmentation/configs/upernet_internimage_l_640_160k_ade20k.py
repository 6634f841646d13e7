"""UperNet with InternImage-L on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet_l.py", "_base_/ade20k_640.py", "_base_/schedule_160k.py"]

from projects.segmentation import pipelines

model = dict(data_preprocessor=dict(size=_base_.crop_size))
tta_pipeline = pipelines.tta_pipeline(_base_.scale, (0.75, 1.0, 1.25))
published = dict(
    parameters=256e6,
    multiply_adds=2526e9,
    result="53.9 / 54.1 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
