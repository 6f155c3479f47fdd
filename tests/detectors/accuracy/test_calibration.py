"""Estimates of accuracy hold what they promise: simulated classifiers that are calibrated, and ones that are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.accuracy.calibration import Calibration, Estimate, Unknown
from telemetry.sketches import DDSketch

Floats = NDArray[np.float64]
Truth = Callable[[Floats], Floats]

CALIBRATED: Truth = lambda confidence: confidence  # noqa: E731
OVERCONFIDENT: Truth = lambda confidence: 0.5 + 0.5 * confidence**3  # noqa: E731
SHIFTED: Truth = lambda confidence: np.clip(confidence - 0.15, 0, 1)  # noqa: E731


def doubts(confidence: Floats) -> DDSketch:
    return DDSketch.of(1 - confidence)


def learn(random: np.random.Generator, truth: Truth, confidence: Floats) -> Calibration:
    right = random.random(len(confidence)) < truth(confidence)
    return Calibration.of(doubts(confidence[right]), doubts(confidence[~right]))


def estimate(calibration: Calibration, confidence: Floats) -> Estimate:
    found = calibration.estimate(doubts(confidence), 200)
    assert isinstance(found, Estimate), found
    return found


@pytest.mark.parametrize(("labelled", "current"), [((8, 2), (8, 2)), ((8, 2), (6, 2)), ((30, 1), (20, 1))])
@pytest.mark.parametrize("truth", [CALIBRATED, OVERCONFIDENT, SHIFTED], ids=["calibrated", "overconfident", "shifted"])
def test_the_interval_covers_and_the_estimate_has_no_bias(
    truth: Truth, labelled: tuple[int, int], current: tuple[int, int]
) -> None:
    random = np.random.default_rng(5)
    covered, errors, widths, naive = 0, [], [], []
    for _ in range(300):
        calibration = learn(random, truth, random.beta(*labelled, 4000))
        confidence = random.beta(*current, 3000)
        made = estimate(calibration, confidence)
        accuracy = float((random.random(3000) < truth(confidence)).mean())
        covered += made.low <= accuracy <= made.high
        errors.append(made.accuracy - accuracy)
        widths.append(made.high - made.low)
        naive.append(abs(made.mean_confidence - accuracy))
    assert covered / 300 >= 0.90, "95 % are promised, four standard errors above"
    assert abs(np.mean(errors)) < 0.006
    assert np.mean(widths) < 0.05, "wide enough is easy"
    if truth is not CALIBRATED:
        assert np.mean(np.abs(errors)) < np.mean(naive) / 1.5, "better than to believe the model"


def test_with_the_same_confidences_it_is_the_share_that_was_right() -> None:
    random = np.random.default_rng(1)
    confidence = random.beta(8, 2, 2000)
    right = random.random(2000) < confidence
    made = estimate(Calibration.of(doubts(confidence[right]), doubts(confidence[~right])), confidence)
    assert made.accuracy == pytest.approx(right.mean(), abs=1e-12)
    assert made.labels == made.predictions == 2000
    assert made.mean_confidence == pytest.approx(confidence.mean())


@pytest.mark.parametrize("seed", range(20))
def test_blocks_are_the_isotonic_regression_of_a_naive_pool_of_adjacent_violators(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.beta(3, 2, 1500)
    right = random.random(1500) < confidence
    made = Calibration.of(doubts(confidence[right]), doubts(confidence[~right]))
    assert (np.diff(made.right / made.labels) <= 0).all(), "the more doubt, the fewer right"
    assert (made.right.sum(), made.labels.sum()) == (right.sum(), 1500)
    # The same bins, pooled by hand.
    values = np.sort(
        np.unique(
            np.concatenate(
                [sketch.histogram()[0] for sketch in (doubts(confidence[right]), doubts(confidence[~right]))]
            )
        )
    )
    counts = {value: [0, 0] for value in values.tolist()}
    for place, sketch in enumerate((doubts(confidence[right]), doubts(confidence[~right]))):
        for value, count in zip(*(part.tolist() for part in sketch.histogram()), strict=True):
            counts[value][place] += count
    bins: list[list[float]] = [[0, 0]]
    least = max(30, 1500**0.5)
    for good, bad in counts.values():
        if sum(bins[-1]) >= least:
            bins.append([0, 0])
        bins[-1][0] += good
        bins[-1][1] += bad
    if sum(bins[-1]) < least:
        last = bins.pop()
        bins[-1] = [bins[-1][0] + last[0], bins[-1][1] + last[1]]
    pooled: list[list[float]] = []
    for good, bad in bins:
        pooled.append([good, good + bad])
        while len(pooled) > 1 and pooled[-2][0] / pooled[-2][1] <= pooled[-1][0] / pooled[-1][1]:
            last = pooled.pop()
            pooled[-1] = [pooled[-1][0] + last[0], pooled[-1][1] + last[1]]
    expected = np.repeat([good / total for good, total in pooled], [int(total) for _, total in pooled])
    found = np.repeat(made.right / made.labels, made.labels.astype(int))
    np.testing.assert_allclose(found, expected)


def test_nothing_is_said_from_few_labels_or_about_confidences_that_no_label_had() -> None:
    random = np.random.default_rng(2)
    few = learn(random, CALIBRATED, random.beta(8, 2, 199))
    found = few.estimate(doubts(random.beta(8, 2, 500)), 200)
    assert isinstance(found, Unknown)
    assert "199 labelled predictions" in found.reason
    sure = learn(random, CALIBRATED, random.uniform(0.9, 0.95, 1000))
    found = sure.estimate(doubts(random.uniform(0.5, 0.6, 500)), 200)
    assert isinstance(found, Unknown)
    assert "100 % of predictions are as confident as no labelled one was" in found.reason
    found = sure.estimate(DDSketch(), 200)
    assert isinstance(found, Unknown)
    assert "no prediction has a confidence" in found.reason
    with pytest.raises(ValueError, match="no labelled predictions"):
        Calibration.of(DDSketch(), DDSketch())


def test_a_classifier_that_was_never_wrong_is_not_called_infallible() -> None:
    confidence = np.full(300, 0.99)
    made = Calibration.of(doubts(confidence), DDSketch()).estimate(doubts(np.full(1000, 0.99)), 200)
    assert isinstance(made, Estimate)
    assert made.accuracy == 1.0
    assert 0.98 < made.low < 0.998
    assert made.high == 1.0


def test_doubts_tell_the_surest_apart() -> None:
    random = np.random.default_rng(3)
    truth: Truth = lambda confidence: np.where(confidence > 0.995, 1.0, 0.9)  # noqa: E731
    confidence = np.where(random.random(4000) < 0.5, 0.999, 0.99)
    calibration = learn(random, truth, confidence)
    assert estimate(calibration, np.full(1000, 0.999)).accuracy > 0.995
    assert estimate(calibration, np.full(1000, 0.99)).accuracy == pytest.approx(0.9, abs=0.02)
