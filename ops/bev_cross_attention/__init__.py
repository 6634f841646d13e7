"""BEVFormer's spatial cross-attention: operator and reference."""
