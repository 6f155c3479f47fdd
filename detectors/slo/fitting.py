"""Alert windows that must hold slices of time: how long they have to be, and policies widened to that; it alerts none.

A slice is judged some time after its end, and belongs to the window in which it starts. So a window that is no longer
than two slices and that wait is empty at times, and an alert that looks back over it could never fire.
"""

from __future__ import annotations

from dataclasses import replace

from detectors.slo.compile import slices_rule_id
from detectors.slo.policy import short_window
from detectors.slo.slices import GRACE_NS
from detectors.slo.spec import BurnPair, Slo


def least_window_ns(slo: Slo) -> int:
    """The shortest window that holds a judged slice at every moment, in whole slices; 0 where events are counted."""
    slice_ns = slo.slice_ns
    if slice_ns is None:
        return 0
    book = slo.sli.slices(slices_rule_id(slo))
    wait_ns = GRACE_NS if book is None else book.wait_ns
    return slice_ns * (2 + -(-wait_ns // slice_ns))


def fitted(slo: Slo) -> Slo:
    """The SLO with short windows of its alerts widened to what holds a slice; those that somebody chose stay."""
    least_ns = least_window_ns(slo)

    def pair_of(pair: BurnPair) -> BurnPair:
        chosen = pair.short_ns != short_window(pair.long_ns)
        return pair if chosen else replace(pair, short_ns=min(max(pair.short_ns, least_ns), pair.long_ns))

    pairs = tuple(pair_of(pair) for pair in slo.policy.pairs)
    return slo if pairs == slo.policy.pairs else replace(slo, policy=replace(slo.policy, pairs=pairs))
