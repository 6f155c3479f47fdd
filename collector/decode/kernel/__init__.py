"""A compiled reader of OTLP protobuf: it fills arrays from the bytes, and hands over what is not of the common shape.

Modules that import ``jit``, and so Numba, are the source of the compiled code; ``export`` makes an object file of them,
in a process of its own. The others run that file, in the server: ``decoder``, ``scan``, ``columns`` and what they use.
All compiled functions work on positions in one buffer that holds the bodies of a batch; each length is checked against
the end of the message that encloses it.
"""
