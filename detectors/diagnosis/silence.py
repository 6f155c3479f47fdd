"""Why telemetry is missing or late: what is known of it is only when it was last there, and whether it came since."""

from __future__ import annotations

from detectors.diagnosis.situation import Situation, Verdict
from telemetry.windows import NANOS


def diagnose_silence(situation: Situation) -> Verdict:
    """Say whether nothing came, or came late; which of service, network and exporter failed cannot be seen here."""
    before, after = len(situation.before), len(situation.after)
    if after:
        summary = f"{after} calls of the time since have arrived, many of them late: senders are delayed, or a queue is"
    elif before:
        newest_ns = int(situation.before.time_ns.max())
        silent_s = max(0, (situation.onset_ns or newest_ns) - newest_ns) / NANOS
        lead = f"nothing has arrived since, after {before} calls in the hour before"
        summary = f"{lead}, the last of them {silent_s:.0f} s earlier"
    else:
        summary = "nothing has arrived, in the hour before neither"
    return Verdict("telemetry-silence", summary, None, situation.scope)
