"""Multi-scale deformable attention: operator and reference."""
