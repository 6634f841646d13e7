"""ResNets as published models start from them: stem and first stage frozen, and all statistics."""

frozen_resnet = dict(
    type="mmdet.ResNet",
    frozen_stages=1,
    norm_cfg=dict(type="BN", requires_grad=False),
    norm_eval=True,
)
r50 = dict(frozen_resnet, depth=50, style="pytorch")
r101_dcn = dict(
    frozen_resnet,
    depth=101,
    out_indices=(1, 2, 3),
    style="caffe",
    dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
    stage_with_dcn=(False, False, True, True),
)
