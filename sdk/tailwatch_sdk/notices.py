"""Says each thing that goes wrong once, on the logger `tailwatch_sdk`; refuses to repeat itself or to raise."""

import logging

logger = logging.getLogger("tailwatch_sdk")

# A key may carry a name chosen by the application (an attribute, a feature), so the memory of what was said is
# bounded: past the bound nothing new is said, which keeps both memory and the host's log flat.
_MAX_KEYS = 256
_said: set[str] = set()


def once(key: str, message: str, *arguments: object, level: int = logging.WARNING) -> None:
    """Log `message % arguments` the first time this key is seen in this process.

    Args:
        key: What the notice is about, e.g. `attribute:tailwatch.tenant`.
        message: A %-style sentence: what is wrong and what to do.
        arguments: Values for the message. Never pass a header or a credential.
        level: A level of the logging module.
    """
    if key in _said or len(_said) >= _MAX_KEYS:
        return
    _said.add(key)
    logger.log(level, message, *arguments)


def forget() -> None:
    """Forget everything said, so that the next `configure` starts with a clean slate."""
    _said.clear()
