"""What the pages say of budgets of money and of estimates, which no other kind has."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.documents.slos import Slo
from dashboard.viewmodels import budgets, overview
from tests.dashboard.viewed import NOW, texts

GROUP = {
    "group": {}, "state": "burning", "good": 462.8, "total": 500.0, "sli": 0.9256, "budget_remaining": 0.9256,
    "burn": {"1h": 15.0}, "detail": {"measure": "cost", "budget": 500.0, "unit": "USD", "unpriced": 12},
}  # fmt: skip
SPEND: dict[str, Any] = {
    "name": "bill", "service": "chat", "kind": "spend", "objective": None, "window_s": 2592000.0,
    "budgeting": "amount", "groups": [GROUP],
}  # fmt: skip
PERIOD = {"calendar": "month", "timezone": "UTC", "start": NOW - 10 * 86400, "end": NOW + 20 * 86400}


def test_a_budget_of_money_is_told_in_money() -> None:
    slo = Slo.model_validate(SPEND)
    (row,) = texts(overview.slo_grid([slo]))
    assert row[:5] == ["bill", "Burning", "$500.00", "$37.20 spent", "92.6 %"]
    tiles = {tile.label: (tile.value, tile.note) for tile in budgets.tiles(slo, slo.groups[0], NOW)}
    assert tiles["Spent"] == ("$37.20", "of $500.00, and 12 requests without a price")
    assert "SLI" not in tiles
    assert ("Budget", "$500.00 over 30 d") in budgets.definition(slo)
    assert budgets.watched_measure(slo) == "cost"


@pytest.mark.parametrize(("rate", "lasts"), [(15.0, "budget lasts 1 d 20 h at this rate"), (1.2, "the month")])
def test_money_lasts_until_it_is_spent(rate: float, lasts: str) -> None:
    slo = Slo.model_validate({**SPEND, "period": PERIOD, "groups": [{**GROUP, "burn": {"1h": rate}}]})
    tiles = {tile.label: tile.note for tile in budgets.tiles(slo, slo.groups[0], NOW)}
    assert lasts in tiles["Burn, 1 h"]


def test_an_slo_of_money_without_data() -> None:
    slo = Slo.model_validate({**SPEND, "groups": []})
    assert texts(overview.slo_grid([slo]))[0][1:3] == ["No data", "–"]
    assert ("Budget", "– over 30 d") in budgets.definition(slo)


ESTIMATE = {"over_s": 3600.0, "predictions": 1200, "labels": 800}


@pytest.mark.parametrize(
    ("more", "value", "note"),
    [
        (
            {"accuracy": 0.912, "low": 0.901, "high": 0.932, "mean_confidence": 0.97},
            "91.2 %", "90.1 % to 93.2 %, 1,200 predictions of the last 1 h, not counted",
        ),
        ({"unknown": "an estimate needs 200"}, "–", "an estimate needs 200"),
    ],
)  # fmt: skip
def test_an_estimate_stands_apart(more: dict[str, Any], value: str, note: str) -> None:
    group = {**GROUP, "detail": {"estimate": {**ESTIMATE, **more}}, "good": 700, "total": 800}
    slo = Slo.model_validate({**SPEND, "kind": "accuracy", "objective": 0.9, "groups": [group]})
    tiles = {tile.label: tile for tile in budgets.tiles(slo, slo.groups[0], NOW)}
    assert (tiles["Estimated accuracy"].value, tiles["Estimated accuracy"].note) == (value, note)
    assert tiles["Bad events"].value == "100"
