"""Why a finding holds: a cause with its evidence, from the records around the onset; no I/O, no alerting."""

from detectors.diagnosis.diagnose import diagnose

__all__ = ["diagnose"]
