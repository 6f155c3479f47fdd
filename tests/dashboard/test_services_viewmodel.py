"""What the page of services shows, and how places become links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.components.grid import Cell
from dashboard.components.place import Place, from_json
from dashboard.documents.traffic import OneSeries, Service
from dashboard.viewmodels import services
from tests.dashboard import recorded

NOW = recorded.NOW


class TestServices:
    def test_the_busiest_first_and_the_chosen_marked(self) -> None:
        every = [Service.model_validate(one) for one in recorded.services()]
        rows = services.grid(every, "embedding-batch").rows
        assert [row.id for row in rows] == ["reference-inference", "embedding-batch"]
        assert [row.tone for row in rows] == [None, "accent"]
        assert [cell.text for cell in rows[0].cells[-2:]] == ["1.15 %", "–"]

    def test_a_service_without_requests_divides_nothing(self) -> None:
        assert services.grid([Service(service="idle")], None).rows[0].cells[-1].text == "–"

    def test_many_models_are_cut(self) -> None:
        one = Service(service="s", models=[f"m{i}" for i in range(9)])
        assert services.grid([one], None).rows[0].cells[1].text == "m0, m1, m2, m3, m4, m5 and 3 more models"

    def test_the_busiest_series_are_kept(self) -> None:
        series = [
            OneSeries.model_validate({"labels": {"model": str(i)}, "points": [{"t": 0, "count": i}]}) for i in range(12)
        ]
        kept = services.busiest_series(series)
        assert [services.series_name(one, "model") for one in kept] == [str(i) for i in range(11, 3, -1)]


class TestPlaces:
    def test_addresses_are_quoted(self) -> None:
        assert Place("slo", {"slo": "a b&c"}).href == "slo?slo=a+b%26c"
        assert Place("").href == "./"

    @given(st.text(), st.dictionaries(st.text(), st.text()))
    def test_what_the_browser_sends_back_is_the_place(self, name: str, params: dict[str, str]) -> None:
        assert from_json(Place(name, params).to_json()) == Place(name, params)

    @pytest.mark.parametrize("value", [None, "x", 3, {}, {"page": "slo"}, {"params": []}])
    def test_nonsense_from_the_browser_opens_nothing(self, value: object) -> None:
        assert from_json(value) is None

    def test_a_cell_sorts_by_its_text_unless_told_otherwise(self) -> None:
        assert Cell("Abc").to_json()["sort"] == "abc"
        assert Cell("Abc", sort=None).to_json()["sort"] is None
        assert Cell("Abc", sort=0).to_json()["sort"] == 0
