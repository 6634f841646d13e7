"""Semantic segmentation with mmsegmentation."""
