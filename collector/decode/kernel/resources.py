"""Reads the wanted attributes of resources with the protobuf library: they are few, and the same in every batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from collector.decode.cells import Cells
from collector.decode.protobuf import read_resource
from collector.decode.raw_columns import AttributeColumn
from collector.decode.values import Cell, cell

_KEPT: Final = 1024
_LARGEST: Final = 4096
"""Bytes of a resource, or of all in a batch, whose attributes are kept for the next one."""

ResourceReader = Callable[[tuple[bytes, ...]], Mapping[str, AttributeColumn]]


def resource_reader(wanted: frozenset[str]) -> ResourceReader:
    """A function that reads the ``wanted`` attributes of serialised resources, one row each."""

    def read(resource: bytes) -> tuple[tuple[str, Cell], ...]:
        return tuple((pair.key, cell(pair.value)) for pair in read_resource(resource).attributes if pair.key in wanted)

    read_again = lru_cache(_KEPT)(read)

    def columns(resources: Sequence[bytes]) -> Mapping[str, AttributeColumn]:
        found: dict[str, Cells] = {}
        for row, resource in enumerate(resources):
            for name, value in (read_again if len(resource) <= _LARGEST else read)(resource):
                found.setdefault(name, Cells()).put(row, value)
        return MappingProxyType({name: cells.column(len(resources)) for name, cells in found.items()})

    columns_again = lru_cache(_KEPT)(columns)

    def columns_of_few(resources: tuple[bytes, ...]) -> Mapping[str, AttributeColumn]:
        return (columns_again if sum(map(len, resources)) <= _LARGEST else columns)(resources)

    return columns_of_few
