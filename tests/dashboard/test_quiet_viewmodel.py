"""What keeps an incident's alerts quiet, as the dashboard words it: in the list, above all, beside each alert."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from dashboard.components.place import Place
from dashboard.documents.incidents import Incident
from dashboard.viewmodels import incidents, quiet
from tests.dashboard import recorded

NOW = recorded.NOW
SILENCED = {"kind": "silenced", "id": "s1", "until": NOW + 600, "author": "Ada", "comment": "known", "alerts": 1}
OWN = {"kind": "inhibited", "id": "f1", "until": None, "name": "burn-1h", "incident": "inc-0042", "alerts": 1}
OTHER = {"kind": "inhibited", "id": "f2", "until": None, "name": "down of db", "incident": "inc-0050", "alerts": 2}
MUTED = {"kind": "muted", "id": "nights", "until": None, "receivers": ["oncall", "tickets"], "alerts": 2}


def incident(*by: dict[str, Any], alerts: int = 1, of: int = 2) -> Incident:
    document = recorded.incidents()["inc-0042"]
    first, second = document["alerts"]
    status = {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": ["f1"], "mutedBy": []}
    suppressed = {"alerts": alerts, "of": of, "by": list(by)}
    alerts_ = [first, {**second, "status": status}]
    return Incident.model_validate({**document, "alerts": alerts_, "suppressed": suppressed})


def test_the_list_marks_what_others_keep_quiet() -> None:
    assert quiet.mark(incident()) == ""
    assert quiet.mark(incident(OWN)) == "", "a page that inhibits its ticket is told itself"
    assert quiet.mark(incident(SILENCED, OWN, alerts=2)) == "1 of 2 silenced"
    assert quiet.mark(incident(SILENCED, OTHER, MUTED, alerts=2)) == "2 of 2 silenced, inhibited, muted"
    old = Incident.model_validate(recorded.incidents()["inc-0042"])
    assert quiet.mark(old) == "", "an older service does not say"
    (row,) = incidents.grid([incident(SILENCED)], NOW, UTC).rows
    assert row.cells[0].sub == "inc-0042 · reference-inference · request-errors · 1 of 2 silenced"


def test_each_is_said_with_its_end_and_where_to_look() -> None:
    found = [quiet.sentence(one, 2, NOW, UTC) for one in quiet.by_others(incident(SILENCED, OWN, OTHER, MUTED))]
    assert found == [
        "1 of 2 alerts silenced until 14:23:20 by Ada: known",
        "2 of 2 alerts inhibited while down of db of inc-0050 fires",
        "2 of 2 alerts muted for oncall, tickets (nights)",
    ]
    assert quiet.places(quiet.by_others(incident(SILENCED, OTHER, MUTED, {**MUTED, "id": "noon"}))) == [
        ("The silence of Ada", Place("silences", {"silence": "s1"})),
        ("inc-0050", Place("incidents", {"incident": "inc-0050"})), ("Muted times", Place("silences")),
    ]  # fmt: skip
    assert quiet.places(quiet.by_others(incident({**OTHER, "incident": None}))) == []
    (alone,) = quiet.by_others(incident({**SILENCED, "author": "", "comment": ""}, of=1))
    assert quiet.sentence(alone, 1, NOW, UTC) == "The alert is silenced until 14:23:20 by nobody named"


def test_each_alert_says_what_keeps_it_quiet() -> None:
    firing, kept = incidents.alert_grid(incident(SILENCED, OWN, MUTED), NOW, UTC).rows
    assert (firing.cells[1].text, firing.cells[1].sub) == ("firing", "")
    assert kept.cells[1].sub == "silenced by Ada until 14:23:20, inhibited by burn-1h"
