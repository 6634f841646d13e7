"""Object detection with mmdet."""
