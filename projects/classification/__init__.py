"""Image classification with mmpretrain."""
