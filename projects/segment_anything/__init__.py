"""Zero-shot instance segmentation: boxes of a detector prompt Segment Anything."""
