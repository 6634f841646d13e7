"""Shapes of things, as lists of parts in their own frame: x forward, y left, z up from the bottom of the box."""
