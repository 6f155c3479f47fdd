"""The reference inference service: real models, real load and real faults; it emits telemetry only through the SDK."""
