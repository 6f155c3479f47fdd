"""The examples in the docstrings hold, and importing the detectors costs no scipy.special, torch or pandas."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import detectors
import detectors.attribution
import detectors.diagnosis
import detectors.drift
import detectors.sequential
import detectors.tail

PACKAGES = (detectors.attribution, detectors.diagnosis, detectors.drift, detectors.sequential, detectors.tail)
MODULES = [
    f"{package.__name__}.{module.name}" for package in PACKAGES for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_nothing_heavy_is_imported_with_the_detectors():
    heavy = ("scipy.special", "torch", "pandas", "evidently")
    whole = [module.name for module in pkgutil.walk_packages(detectors.__path__, "detectors.")]
    assert {"detectors.drift_report", "detectors.accuracy.calibration", *MODULES} <= {*whole}
    lines = [*(f"import {name}" for name in whole), "import sys"]
    program = "\n".join([*lines, f"print([name for name in {heavy!r} if name in sys.modules])"])
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
