from __future__ import annotations

import pytest

from bev.errors import InputError
from bev.evaluation.sample_metric import SampleMetric


class Sum(SampleMetric):
    dataset = "here"

    def process(self, data_batch: object, data_samples: list[dict]) -> None:
        self.results += [(sample["token"], sample["value"]) for sample in self.own(data_samples)]

    def score(self, by_token: dict[str, int]) -> dict[str, float]:
        return {"sum": sum(by_token.values())}


def test_the_first_result_of_a_sample_counts() -> None:
    metric = Sum()
    metric.process(None, [{"token": "a", "value": 1}, {"token": "b", "value": 10}, {"token": "a", "value": 100}])
    assert metric.evaluate(2) == {"sum": 11}


def test_samples_of_other_data_sets_are_passed_over() -> None:
    metric = Sum()
    samples = [{"token": "a", "value": 1, "dataset": "here"}, {"token": "b", "value": 2, "dataset": "there"}]
    metric.process(None, samples)
    assert metric.evaluate(1) == {"sum": 1}


def test_predictions_that_nobody_would_see_are_refused() -> None:
    with pytest.raises(InputError, match=r"Sum\(format_only=True\) needs output_dir"):
        Sum(format_only=True)
