"""Runs the faults' seam and the tokenizer on a request's text; their failures become errors of this service."""

from __future__ import annotations

from collections.abc import Callable

from reference_model.engine.seams import Incoming, Seams
from reference_model.errors import DependencyError, PreprocessingError, ReferenceModelError


async def preprocess(seams: Seams, incoming: Incoming, tokenise: Callable[[], list[int]]) -> list[int]:
    """Token ids of ``incoming``. Raises PreprocessingError or DependencyError with the cause in words."""
    try:
        for act in list(seams.preprocess):
            await act(incoming)
        return tokenise()
    except ReferenceModelError:
        raise
    except OSError as error:
        raise DependencyError(f"The feature store cannot be reached: {error}.") from error
    except Exception as error:  # tokenizers raises bare Exception
        raise PreprocessingError(f"The {incoming.input_type} input could not be tokenised: {error}") from error
