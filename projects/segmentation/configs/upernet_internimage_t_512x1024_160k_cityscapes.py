"""UperNet with InternImage-T on Cityscapes; published on 8 GPUs of 2 images, with ADE20K's 150 outputs."""

_base_ = ["_base_/upernet_t.py", "_base_/cityscapes.py", "_base_/schedule_160k.py"]

model = dict(data_preprocessor=dict(size=_base_.crop_size))
published = dict(
    parameters=59e6,
    multiply_adds=1889e9,
    result="82.58 / 83.40 mIoU",
    source="segmentation/README.md of OpenGVLab/InternImage",
)
