"""The service's JSON documents as typed values, and what they have in common; nothing that is missing is guessed at.

Times are seconds since the epoch, durations seconds, costs US dollars, ratios fractions of one. Fields that
a newer service may add are ignored; fields without which a page would lie are required.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Labels = dict[str, str]


class Document(BaseModel):
    """A frozen value that ignores unknown fields and refuses NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, coerce_numbers_to_str=True)
