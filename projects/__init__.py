"""Image tasks on the same backbone: what belongs to one task alone, with its configs."""
