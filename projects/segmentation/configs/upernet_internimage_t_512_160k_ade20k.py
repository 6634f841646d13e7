"""UperNet with InternImage-T on ADE20K; published on 8 GPUs of 2 images."""

_base_ = ["_base_/upernet_t.py", "_base_/ade20k.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=59e6,
    multiply_adds=944e9,
    result="47.9 / 48.1 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
