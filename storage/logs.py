"""Stored inference logs as columns: features, predictions, confidences and embeddings, for drift and quality."""

from __future__ import annotations

from storage.reader import RecordReader

_LOGS = RecordReader("log", inference_only=False)
load_columns = _LOGS.load_columns
iterate_columns = _LOGS.iterate_columns
