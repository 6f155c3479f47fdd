"""Templates that cannot do harm: what users write is run without code, attributes, methods or unbounded work.

Jinja's own sandbox keeps templates from Python's internals, but not from ``'a' * 10**9`` or three nested loops. Here a
template may look values up, compare, loop and filter; it is read against a list of what it may hold, every loop counts
against one bound for the whole rendering, numbers and texts have a size that they cannot pass, and so has the result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import cache
from typing import Any, Final, NoReturn

from jinja2 import StrictUndefined, Template, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_ROUNDS: Final = 10_000
"""Of all loops of one rendering together."""
_MAX_RANGE: Final = 1000
MAX_TEXT: Final = 256 * 1024
_MAX_NUMBER: Final = 1e15
_MAX_DEPTH: Final = 60

FAULTS: Final = (
    TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError,
)  # fmt: skip
"""What a template can raise when it is rendered."""

_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.CondExpr, nodes.Call, nodes.Keyword, nodes.Pair, nodes.Dict, nodes.List, nodes.Tuple, nodes.Add,
    nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat,
)  # fmt: skip
_FILTERS: Final = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first", "float",
    "groupby", "int", "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "reverse", "round", "safe", "select", "selectattr", "sort", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_METHODS: Final = ("get", "items", "keys", "values")
_COUNTED: Final = "counted"
_ROUNDS: Final = "rounds left"


class Environment(ImmutableSandboxedEnvironment):
    """An environment whose templates hold nothing but what is listed above; ``finalize`` makes printed values text."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, finalize: Callable[..., Any] | None = None, **filters: Callable[..., Any]) -> None:
        # What is rendered is JSON, Markdown or plain text, not HTML.
        super().__init__(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True,
            finalize=plain if finalize is None else lambda value: finalize(plain(value)),
        )  # fmt: skip
        self.globals.clear()
        self.globals["range"] = _short_range
        kept = {name: self.filters[name] for name in _FILTERS}
        self.filters.clear()
        self.filters.update(kept)
        self.filters.update(
            {"join": _join, "replace": _replace, "tojson": _to_json, "string": plain, _COUNTED: _counted, **filters}
        )

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _check(tree, 0)
        return _Bounds().visit(tree)  # type: ignore[no-any-return]  # a visitor of Jinja's returns Any

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.attribute`` looks up a key; mappings have four methods, and nothing else has any."""
        if isinstance(obj, Mapping) and attribute in _METHODS:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``obj[argument]`` of a mapping, a list or a text; undefined otherwise."""
        if isinstance(obj, Undefined):
            return obj[argument]
        if isinstance(obj, Mapping):
            if argument in obj:
                return obj[argument]
            return self.undefined(obj=obj, name=argument)
        if isinstance(obj, Sequence) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        if type(obj).__module__ == "jinja2.runtime" and str(argument) in _LOOP:  # `loop` within a loop
            return getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only what the context offers, and the methods of mappings."""
        owner = getattr(obj, "__self__", None)
        return not isinstance(obj, type) and (owner is None or isinstance(owner, Mapping))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of numbers that stay small; texts and lists can only be added, within bounds."""
        if operator == "+" and type(left) is type(right) and isinstance(left, str | list):
            if len(left) + len(right) > MAX_TEXT:
                _refuse(f"makes a text or list of more than {MAX_TEXT:,}")
            return super().call_binop(context, operator, left, right)
        for operand in (left, right):
            if not isinstance(operand, int | float):
                _refuse(f"{operator} wants two numbers")
        made = super().call_binop(context, operator, left, right)
        if abs(made) > _MAX_NUMBER:
            _refuse("computes a number that is too large")
        return made


_LOOP: Final = ("index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "depth")


def compiled(environment: Environment, text: str) -> Template:
    """The text as a template, from a store of those seen lately.

    Raises:
        TemplateError: it is none, or holds what a template may not.
    """
    return _compile(environment, text)


@cache
def _store(_environment: Environment) -> dict[str, Template]:
    return {}


def _compile(environment: Environment, text: str) -> Template:
    store = _store(environment)
    if text not in store:
        if len(text) > MAX_TEXT:
            _refuse(f"is longer than {MAX_TEXT:,} characters")
        if len(store) >= 256:
            store.clear()
        store[text] = environment.from_string(text)
    return store[text]


def rendered(template: Template, context: Mapping[str, Any], *, most: int = MAX_TEXT) -> str:
    """What the template makes of the context.

    Raises:
        TemplateError: it asks for what is not there, loops too long, or makes more than ``most`` characters.
    """
    parts: list[str] = []
    length = 0
    for part in template.generate({**context, _ROUNDS: [MAX_ROUNDS]}):
        length += len(part)
        if length > most:
            _refuse(f"makes more than {most:,} characters")
        parts.append(part)
    return "".join(parts)


def _check(node: nodes.Node, depth: int) -> None:
    line = getattr(node, "lineno", 1) or 1
    if depth > _MAX_DEPTH:
        raise TemplateSyntaxError("this is nested too deep", line)
    if not isinstance(node, _NODES) or (isinstance(node, nodes.For) and node.recursive):
        what = type(node).__name__.lower()
        raise TemplateSyntaxError(
            f"a template may not hold this ({what}); it has if, for, set, values and filters", line
        )
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


class _Bounds(NodeTransformer):
    """Has every loop counted, and texts joined within bounds."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's protocol
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's protocol
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


@pass_context
def _counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    left = context.get(_ROUNDS)
    for value in values:
        left[0] -= 1
        if left[0] < 0:
            _refuse(f"loops more than {MAX_ROUNDS:,} times")
        yield value


def _join(values: Iterable[Any], between: Any = "") -> str:
    parts = [str(plain(value)) for value in values]
    if sum(map(len, parts)) + len(str(between)) * len(parts) > MAX_TEXT:
        _refuse(f"makes a text of more than {MAX_TEXT:,}")
    return str(between).join(parts)


def _replace(value: Any, old: Any, new: Any) -> str:
    text, found = str(value), str(value).count(str(old))
    if len(text) + found * len(str(new)) > MAX_TEXT:
        _refuse(f"makes a text of more than {MAX_TEXT:,}")
    return text.replace(str(old), str(new))


def _to_json(value: Any) -> str:
    if isinstance(value, Undefined):
        str(value)  # says what is not there
    parts: list[str] = []
    length = 0
    for part in _ENCODER.iterencode(value):
        length += len(part)
        if length > MAX_TEXT:
            _refuse(f"makes a text of more than {MAX_TEXT:,}")
        parts.append(part)
    return "".join(parts)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value as it may be printed: lists and mappings as JSON, since a list that holds itself twice has no end."""
    if isinstance(value, KeysView | ValuesView | ItemsView):
        value = list(value)
    return _to_json(value) if isinstance(value, list | tuple | Mapping) else value


def _short_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        _refuse(f"counts further than {_MAX_RANGE:,}")
    return numbers


def _refuse(what: str) -> NoReturn:
    raise SecurityError(f"the template {what}")
