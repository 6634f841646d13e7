"""Waymo Open Dataset: records, messages and submissions, without TensorFlow."""
