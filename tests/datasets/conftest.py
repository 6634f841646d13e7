"""The tests' pipelines name their transforms by type, which registers none of them."""

import bev.transforms  # noqa: F401
