"""A compiled reader of OTLP protobuf: it fills arrays from the bytes, and hands over what is not of the common shape.

Every module but ``messages`` imports Numba, whose import costs a second of CPU: only ``collector.decode.compiled``
imports this package's modules, in the background. All functions work on positions in one buffer that holds the
bodies of a batch; each length is checked against the end of the message that encloses it.
"""
