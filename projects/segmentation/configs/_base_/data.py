"""What all data sets share: loaders, and what happens to an image before and after it is resized and cropped."""

train_loader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    worker_init_fn=dict(type="seed_worker"),
)
val_loader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
)

load_image = dict(type="LoadImageFromFile")
load_labels = dict(type="LoadAnnotations")
augment = [
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
# Labels are loaded after the image is resized: predictions are compared at the size of the labels.
finish_test = [load_labels, dict(type="PackSegInputs")]

# Resizing to a multiple of the largest stride, which changes the aspect ratio a little, instead of padding.
whole_strides = dict(type="ResizeToMultiple", size_divisor=32)
both_directions = [
    dict(type="RandomFlip", prob=0.0, direction="horizontal"),
    dict(type="RandomFlip", prob=1.0, direction="horizontal"),
]
tta_ratios = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
finish_tta = [[load_labels], [dict(type="PackSegInputs")]]
