"""Sequential tests that may be looked at all the time: e-detectors, their dispersion, onset and e-BH; no I/O."""

from detectors.sequential.mixture import BernoulliDetector, BoundedMeanDetector, DetectorState, threshold

__all__ = ["BernoulliDetector", "BoundedMeanDetector", "DetectorState", "threshold"]
