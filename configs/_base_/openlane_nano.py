"""Lane topology of the synthetic world for the nano models: head, BEV, pipelines and metric.

What makes it learn in minutes: a BEV that reads the images where the road is; features that are told what lanes look
like in the image; lane queries from a dense head on the BEV, which the decoder refines as whole curves; and relations
that see how the ends of lanes lie to each other.
"""

lane_dims = 64
# What `--reach 32 16` annotates. The world is flat and the ego frame lies on the road; so does the one point of a
# pillar, in the middle of the bounds, and what is read around it starts half a cell away at most. Small embeddings let
# the images count from the first steps.
lane_bev_bounds = (-32.0, -16.0, -1.5, 32.0, 16.0, 1.5)
lane_encoder = dict(
    grid=dict(bounds=lane_bev_bounds, shape=(32, 64)),
    num_layers=2,
    num_pillar_points=1,
    num_points_spatial=4,
    initial_step=0.125,
    embedding_std=0.1,
    position_init="uniform",
)
lane_attention = dict(embed_dims=lane_dims, num_heads=4, feedforward_channels=2 * lane_dims, dropout=0.0)
lane_code = dict(kind="bezier", num_control=5, num_points=11)
lane_head = dict(
    type="LaneTopologyHead",
    lanes=dict(
        type="CentrelineDetector",
        decoder=dict(
            type="DETRDecoder",
            queries=dict(
                type="CurveQueries",
                embed_dims=lane_dims,
                num_queries=64,
                code=lane_code,
                dilations=(1, 2, 4, 8),
                heatmap_weight=2.0,
                curve_weight=1.0,
                passed_weight=2.0,
            ),
            num_layers=2,
            num_points=5,  # one per control point
            initial_step=0.25,
            **lane_attention,
        ),
        code=lane_code,
        class_loss=dict(weight=1.5),
        curve_loss=dict(kind="l1", weight=0.1),
        quality_scale=2.5,  # the metric counts what is within 1, 2 and 3 m
    ),
    traffic=dict(
        type="TrafficElementDetector",
        encoder=dict(type="PyramidEncoder", num_layers=1, num_levels=3, **lane_attention),
        decoder=dict(
            type="DETRDecoder",
            queries=dict(type="LearnedQueries", embed_dims=lane_dims, num_queries=24, reference_dims=2),
            num_layers=2,
            num_levels=3,
            **lane_attention,
        ),
        # Lights of a few pixels are hard to learn, and should not pull the backbone from what lanes need.
        class_loss=dict(weight=0.3),
        box_loss=dict(kind="l1", weight=0.75),
        overlap_loss=dict(weight=0.3),
    ),
    lane_lane=dict(
        type="PairRelation",
        embed_dims=lane_dims,
        hidden_dims=64,
        end_joint=True,
        # About 10 of 64 x 64 pairs are related, and the loss is a mean over all of them. The metric takes what is above
        # 0.5 and looks at its order: with this alpha 0.5 stands for a chance of 1 in 100.
        loss=dict(weight=100.0, alpha=0.99),
    ),
    lane_traffic=dict(type="PairRelation", embed_dims=lane_dims, hidden_dims=64, loss=dict(weight=5.0)),
    max_lanes=64,
    max_traffic_elements=24,
)

image_lane_head = dict(type="ImageLaneHead", embed_dims=lane_dims, levels=(0, 1))

# Lights hang above the horizon: more of the image than the boxes need. On the road, a metre further away is a fraction
# of a row where a metre aside is many columns: rows are stretched and columns squeezed, at no cost.
lane_crop = (0, 22, 352, 198)
lane_size = (256, 128)
lane_train_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="ResizeCropFlipImages", crop=lane_crop, size=lane_size),
    dict(type="BoxRangeFilter", radius=32.0),
    dict(type="PackClip"),
]
lane_test_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="ResizeCropFlipImages", crop=lane_crop, size=lane_size, training=False),
    dict(type="PackClip"),
]
lane_train_index = "openlane_v2_B_infos_train.pkl"
lane_val_index = "openlane_v2_B_infos_val.pkl"
lane_evaluator = dict(type="OpenLaneMetric", data_root="data/synthetic", ann_file=lane_val_index)
