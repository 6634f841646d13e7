"""What the metrics of a validation loop share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from mmengine.evaluator import BaseMetric

from bev.errors import InputError


class SampleMetric(BaseMetric):
    """A metric whose results are pairs of a sample's token and what is known of its prediction.

    Args:
        output_dir: Folder that predictions are written to; a metric may write none without it.
        format_only: Write predictions and evaluate nothing, for samples without labels.
        collect_device: Where results of several processes meet, "cpu" or "gpu".
        prefix: Stands before the names of the numbers.

    Attributes:
        dataset: Name of the data set whose samples count, where a model sees several.

    Raises:
        InputError: If predictions would neither be written nor evaluated.
    """

    dataset: str | None = None

    def __init__(
        self,
        output_dir: str | None = None,
        format_only: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and output_dir is None:
            raise InputError(
                f"{type(self).__name__}(format_only=True) needs output_dir, or the predictions would be lost"
            )
        self.output_dir = None if output_dir is None else Path(output_dir)
        self.format_only = format_only

    def own(self, data_samples: Sequence[dict]) -> Iterator[dict]:
        """The samples that are not of another data set."""
        return (sample for sample in data_samples if sample.get("dataset", self.dataset) == self.dataset)

    def evaluate(self, size: int) -> dict:
        """Collects the results of all processes, also those that a sampler repeats, and evaluates them.

        Args:
            size: Number of samples of the data set; mmengine would cut the results to it, in an order that only its
                own sampler keeps.
        """
        return super().evaluate(max(size, len(self.results) * get_world_size()))

    def compute_metrics(self, results: list[tuple[str, Any]]) -> dict[str, float]:
        """Scores all samples; of those that a sampler repeated the first result counts."""
        by_token: dict[str, Any] = {}
        for token, result in results:
            by_token.setdefault(token, result)
        return self.score(by_token)

    @abstractmethod
    def score(self, by_token: dict[str, Any]) -> dict[str, float]:
        """The numbers, from one result per sample; writes the predictions where that is left to do."""
