"""Models: backbones, necks, attention, encoders, temporal fusion, heads, losses and assigners."""
