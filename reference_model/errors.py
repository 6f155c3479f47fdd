"""The error tree of the reference service; how an error is worded for a client is the API's business, not its own.

ReferenceModelError
├── WeightsError              a model package is absent, damaged or of an unknown format
├── RequestError              the request cannot be served as it stands (4xx)
│   ├── InvalidRequestError
│   ├── UnknownModelError
│   └── ContextLengthError
├── RefusedError              the service refuses work for now (429 / 503), with a time to retry after
│   ├── QueueFullError
│   └── DrainingError
├── PreprocessingError        the input could not be turned into model input (500)
└── DependencyError           something that the request needs outside this process cannot be reached (502)
"""


class ReferenceModelError(Exception):
    """Base of everything that this service raises on purpose; ``code`` is the machine-readable name."""

    code = "internal_error"
    status = 500


class WeightsError(ReferenceModelError):
    """A model's files are missing, damaged, or not in the format that is read here."""

    code = "weights_error"


class RequestError(ReferenceModelError):
    """The request cannot be served, whatever the load; ``param`` names the guilty field."""

    code = "invalid_request"
    status = 400

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class InvalidRequestError(RequestError):
    """A field has a value that the service does not accept."""


class UnknownModelError(RequestError):
    """No such model, or no such version of it."""

    code = "model_not_found"
    status = 404


class ContextLengthError(RequestError):
    """Prompt and requested output do not fit the context of the model."""

    code = "context_length_exceeded"


class RefusedError(ReferenceModelError):
    """The service refuses work for now; the client should come back after ``retry_after_s`` seconds."""

    code = "overloaded"
    status = 503

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFullError(RefusedError):
    """The queue, or the tenant's share of it, is full."""

    code = "rate_limit_exceeded"
    status = 429


class DrainingError(RefusedError):
    """The service is shutting down and finishes only what it has accepted."""

    code = "overloaded"


class PreprocessingError(ReferenceModelError):
    """The tokenizer or another preprocessing step failed on an input that passed validation."""

    code = "preprocessing_error"


class DependencyError(ReferenceModelError):
    """Another service that the request depends on cannot be reached."""

    code = "dependency_unavailable"
    status = 502
