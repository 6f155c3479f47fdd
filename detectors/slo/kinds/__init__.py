"""The kinds of SLI, one module each; see :mod:`detectors.slo.kinds.protocol` for what a kind says about itself."""
