from __future__ import annotations

import pytest
from mmengine.config import Config

from bev.engine.config import ConfigError
from bev.engine.image_model_size import SAMPLE_COST, input_size, measure_image_model

pytestmark = pytest.mark.usefixtures("registered")
# One block per stage; 16, 32, 64, 128 channels on maps of 16, 8, 4 and 2 pixels square at 64 x 64.
BACKBONE = dict(type="InternImage", variant="t", channels=16, depths=(1, 1, 1, 1), groups=(2, 4, 8, 16))
CLASSES, SIDES, CHANNELS = 5, (16, 8, 4, 2), (16, 32, 64, 128)


def classifier(**settings: object) -> Config:
    model = dict(type="ImageClassifier", backbone=BACKBONE, neck=dict(type="GlobalAveragePooling"))
    head = dict(type="LinearClsHead", num_classes=CLASSES, in_channels=CHANNELS[-1])
    return Config(dict(default_scope="mmpretrain", model=dict(model, head=head), **settings))


def backbone_cost() -> int:
    """Multiply-adds of the backbone without sampling, by hand."""
    cost = 32 * 32 * 8 * 3 * 9 + 16 * 16 * 16 * 8 * 9  # the stem
    for side, channels, group in zip(SIDES, CHANNELS, (2, 4, 8, 16), strict=True):
        block = 2 * channels**2 + 9 * channels + channels * group * 9 * 3 + 8 * channels**2
        cost += side**2 * block
        if channels < CHANNELS[-1]:
            cost += (side // 2) ** 2 * 2 * channels * channels * 9
    return cost


def test_a_classifier_is_counted_as_one_expects() -> None:
    size = measure_image_model(classifier(count_size=(64, 64)))
    sampling = sum(SAMPLE_COST * 9 * side**2 * channels for side, channels in zip(SIDES, CHANNELS, strict=True))
    assert size.sampling_multiply_adds == sampling
    assert size.multiply_adds == backbone_cost() + sampling + CLASSES * CHANNELS[-1]
    assert size.parameters == size.backbone_parameters + CLASSES * (CHANNELS[-1] + 1)


def test_a_segmentor_counts_its_decoder_and_no_auxiliary_head() -> None:
    head = dict(type="FCNHead", in_channels=128, in_index=3, channels=8, num_convs=1, concat_input=False, num_classes=3)
    model = dict(type="EncoderDecoder", backbone=BACKBONE, decode_head=head, test_cfg=dict(mode="whole"))
    config = Config(dict(default_scope="mmseg", model=dict(model, auxiliary_head=head), count_size=(64, 64)))
    size = measure_image_model(config)
    assert size.multiply_adds - size.sampling_multiply_adds == backbone_cost() + 2 * 2 * (128 * 8 * 9 + 8 * 3)


def test_a_two_stage_detector_has_a_thousand_regions_and_a_hundred_masks() -> None:
    box = dict(type="Shared2FCBBoxHead", in_channels=8, fc_out_channels=16, roi_feat_size=7, num_classes=3)
    mask = dict(type="FCNMaskHead", num_convs=1, in_channels=8, conv_out_channels=8, num_classes=3)
    extractor = dict(type="SingleRoIExtractor", out_channels=8, featmap_strides=[4, 8, 16, 32])
    roi_head = dict(
        type="StandardRoIHead",
        bbox_head=box,
        bbox_roi_extractor=dict(extractor, roi_layer=dict(type="RoIAlign", output_size=7)),
        mask_head=mask,
        mask_roi_extractor=dict(extractor, roi_layer=dict(type="RoIAlign", output_size=14)),
    )
    neck = dict(type="FPN", in_channels=list(CHANNELS), out_channels=8, num_outs=4)
    rpn_head = dict(type="RPNHead", in_channels=8, feat_channels=8)
    test_cfg = dict(rpn=dict(), rcnn=dict())
    model = dict(type="MaskRCNN", backbone=BACKBONE, neck=neck, rpn_head=rpn_head, train_cfg=None, test_cfg=test_cfg)
    config = Config(dict(default_scope="mmdet", model=dict(model, roi_head=roi_head), count_size=(64, 64)))
    size = measure_image_model(config)
    pixels = sum(side**2 for side in SIDES)
    neck_cost = sum(side**2 * channels * 8 for side, channels in zip(SIDES, CHANNELS, strict=True)) + pixels * 8 * 8 * 9
    rpn_cost = pixels * (8 * 8 * 9 + 8 * 9 * (1 + 4))  # nine anchors
    box_cost = 1000 * (8 * 49 * 16 + 16 * 16 + 16 * (4 + 3 * 4))
    mask_cost = 100 * (14 * 14 * 8 * 8 * 9 + 14 * 14 * 8 * 8 * 4 + 28 * 28 * 8 * 3)
    expected = backbone_cost() + neck_cost + rpn_cost + box_cost + mask_cost
    assert size.multiply_adds - size.sampling_multiply_adds == expected


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="InternImage can't be measured, only one of ImageClassifier, EncoderDecoder"):
        measure_image_model(Config(dict(model=BACKBONE, count_size=(64, 64))))


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (dict(type="CenterCrop", crop_size=224), (224, 224)),
        (dict(type="Resize", scale=(1333, 800), keep_ratio=True), (800, 1333)),
        (dict(type="mmdet.Resize", scale=(640, 320)), (320, 640)),
    ],
)
def test_size_of_the_test_pipeline(step: dict, size: tuple[int, int]) -> None:
    pipeline = [dict(type="LoadImageFromFile"), step, dict(type="PackInputs")]
    assert input_size(Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))) == size


def test_a_pipeline_without_a_size_is_refused() -> None:
    config = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type="PackInputs")]))))
    with pytest.raises(ConfigError, match="count_size"):
        input_size(config)
