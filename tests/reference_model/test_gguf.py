"""The GGUF reader against the gguf package, and against files that lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize as package_dequantize
from gguf.quants import quantize

from reference_model.errors import WeightsError
from reference_model.weights.gguf_file import GgufFile
from reference_model.weights.quantised_blocks import dequantise, stored_bytes

RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(size=(4, 64)).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 3)
    writer.add_array("words", ["a", "böse", ""])
    writer.add_float32("epsilon", 0.5)
    writer.add_tensor("plain", WEIGHTS)
    for name, kind in (("q8", GGMLQuantizationType.Q8_0), ("q41", GGMLQuantizationType.Q4_1)):
        writer.add_tensor(name, quantize(WEIGHTS, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_metadata_and_tensors_are_read(file: Path) -> None:
    read = GgufFile(file)
    assert read.metadata["llama.block_count"] == 3
    assert read.metadata["words"] == ["a", "böse", ""]
    assert read.metadata["epsilon"] == 0.5
    np.testing.assert_array_equal(read.tensor("plain"), WEIGHTS)


@pytest.mark.parametrize(("name", "kind"), [("q8", GGMLQuantizationType.Q8_0), ("q41", GGMLQuantizationType.Q4_1)])
def test_blocks_agree_with_the_gguf_package(file: Path, name: str, kind: GGMLQuantizationType) -> None:
    expected = package_dequantize(quantize(WEIGHTS, kind), kind)
    np.testing.assert_array_equal(GgufFile(file).tensor(name), expected)
    assert np.abs(expected - WEIGHTS).max() < 0.5


@pytest.mark.parametrize("kept", [3, 20, 90])
def test_a_damaged_header_is_one_clear_error(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"GGUF|damaged"):
        GgufFile(file)


def test_a_cut_off_file_is_noticed_when_the_tensor_is_read(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(WeightsError, match="cut off"):
        GgufFile(file).tensor("q41")


def test_an_absent_tensor_is_named(file: Path) -> None:
    with pytest.raises(WeightsError, match="'nothing'"):
        GgufFile(file).tensor("nothing")


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(WeightsError, match="Not a GGUF file"):
        GgufFile(other)


def test_unknown_formats_and_broken_sizes_are_refused() -> None:
    with pytest.raises(WeightsError, match="format 12"):
        stored_bytes(12, 256)
    with pytest.raises(WeightsError, match="multiple of 32"):
        stored_bytes(8, 33)


def test_float32_is_passed_through() -> None:
    np.testing.assert_array_equal(dequantise(WEIGHTS.view(np.uint8).ravel(), 0, WEIGHTS.shape), WEIGHTS)
