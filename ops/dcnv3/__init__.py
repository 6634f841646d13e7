"""Deformable convolution v3: operator, reference and layer."""
