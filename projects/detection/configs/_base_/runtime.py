"""What every detector shares: the project's hooks and logs, with mmdet's classes found by their short names."""

_base_ = ["../../../../configs/_base_/default_runtime.py"]

default_scope = "mmdet"
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
find_unused_parameters = False
count_size = (800, 1280)  # height and width that published figures are for
