"""The nano model in two stages: the perspective head's proposals join the queries (2211.10439, section 3.4)."""

_base_ = ["bevformerv2_internimage_nano_perspective.py"]

queries = _base_.model.heads.detection.decoder.queries
hybrid = dict(
    _delete_=True,
    type="HybridQueries",
    embed_dims=64,
    num_classes=10,
    num_proposals=64,
    box_prior=True,
    base=queries,
)
model = dict(
    proposals_from="perspective",
    heads=dict(detection=dict(decoder=dict(queries=hybrid)), perspective=dict(proposals=dict(max_num=64))),
)
