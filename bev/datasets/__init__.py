"""Datasets: one folder each, with its index, dataset, ground truth and submission format."""
