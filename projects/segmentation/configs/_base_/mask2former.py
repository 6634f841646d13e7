"""Mask2Former (https://arxiv.org/abs/2112.01527) on InternImage-H, with mmdet's layers; a query is a class's mask."""

_base_ = ["segmentor.py", "optimizer.py"]

num_classes = 150
width = 256
attention = dict(embed_dims=width, num_heads=8, attn_drop=0.0, proj_drop=0.0, dropout_layer=None, batch_first=True)
position = dict(num_feats=width // 2, normalize=True)
model = dict(
    backbone=dict(variant="h", drop_path_rate=0.5),
    decode_head=dict(
        type="Mask2FormerHead",
        in_channels=[320, 640, 1280, 2560],
        strides=[4, 8, 16, 32],
        feat_channels=width,
        out_channels=width,
        num_classes=num_classes,
        num_queries=100,
        num_transformer_feat_level=3,
        enforce_decoder_input_project=False,
        positional_encoding=position,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            positional_encoding=position,
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=width, num_heads=8, num_levels=3, num_points=4, dropout=0.0, batch_first=True
                    ),
                    ffn_cfg=dict(embed_dims=width, feedforward_channels=4 * width, num_fcs=2, ffn_drop=0.0),
                ),
            ),
        ),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=9,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(embed_dims=width, feedforward_channels=8 * width, num_fcs=2, ffn_drop=0.0),
            ),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0, class_weight=[1.0] * num_classes + [0.1]),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(type="mmdet.DiceLoss", activate=True, naive_dice=True, eps=1.0, loss_weight=5.0),
        train_cfg=dict(
            num_points=12544,
            oversample_ratio=3.0,
            importance_sample_ratio=0.75,
            assigner=dict(
                type="mmdet.HungarianAssigner",
                match_costs=[
                    dict(type="mmdet.ClassificationCost", weight=2.0),
                    dict(type="mmdet.CrossEntropyLossCost", weight=5.0, use_sigmoid=True),
                    dict(type="mmdet.DiceCost", weight=5.0, pred_act=True, eps=1.0),
                ],
            ),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    ),
)
like_stem = [f"decode_head.{part}" for part in ("mask_embed", "cls_embed", "level_embed", "query_embed", "query_feat")]
optim_wrapper = dict(optimizer=dict(lr=2e-5), paramwise_cfg=dict(layer_decay_rate=0.95, like_stem=like_stem))
