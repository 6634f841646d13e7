"""What the metrics of a validation loop share."""

from __future__ import annotations

from mmengine.dist import get_world_size
from mmengine.evaluator import BaseMetric


class SampleMetric(BaseMetric):
    """A metric with one result per sample, which names the sample: of repeated ones the subclass counts the first."""

    def evaluate(self, size: int) -> dict:
        """Collects the results of all processes, also those that a sampler repeats, and evaluates them.

        Args:
            size: Number of samples of the data set; mmengine would cut the results to it, in an order that only its
                own sampler keeps.
        """
        return super().evaluate(max(size, len(self.results) * get_world_size()))
