"""What users' templates may do, and that nothing else gets through: no code, no attributes, no unbounded work."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.sandbox import FAULTS, MAX_TEXT, Environment, compiled, rendered

ENVIRONMENT = Environment()
CONTEXT = {
    "a": {"b": "x", "n": 3, "items": [1, 2]}, "l": [1, 2, 3], "s": "text", "nested": [{"k": "v1"}, {"k": "v2"}],
    "call": lambda *_values, **_named: "called",
}  # fmt: skip


def make(text):
    return rendered(compiled(ENVIRONMENT, text), CONTEXT)


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{{ a.b }}-{{ a['n'] + 1 }}-{{ l[0] }}-{{ s ~ a.b }}", "x-4-1-textx"),
        ("{% for k, v in a.items() %}{{ k }}{% if not loop.last %},{% endif %}{% endfor %}", "b,n,items"),
        ("{% for one in nested if one.k != 'v1' %}{{ one.k }}{% else %}none{% endfor %}", "v2"),
        ("{% set x = 2 * a.n %}{{ x }} {{ 7 // 2 }} {{ -x }}", "6 3 -6"),
        ("{{ a | tojson }} {{ s | upper }} {{ l | join('+') }} {{ nested | map(attribute='k') | join }}",
         '{"b": "x", "n": 3, "items": [1, 2]} TEXT 1+2+3 v1v2'),
        ("{{ missing | default('d') }} {{ 'yes' if a.b == 'x' else 'no' }} {{ a.get('z', 'w') }}", "d yes w"),
        ("{{ l }} {{ call('x', y=1) }} {{ s | replace('t', 'T') }}", "[1, 2, 3] called TexT"),
    ],
)  # fmt: skip
def test_what_a_template_is_for(template, made):
    assert make(template) == made


@pytest.mark.parametrize(
    "template",
    [
        # Python's internals, by every way that leads there.
        "{{ ''.__class__ }}", "{{ s.__class__.__mro__ }}", "{{ call.__globals__ }}", "{{ call.__self__ }}",
        "{{ a.items.__self__ }}", "{{ a.__init__ }}", "{{ a['__class__'] }}", "{{ (1).__class__ }}",
        "{{ l | map(attribute='__class__') | list }}", "{{ nested | map(attribute='k.__class__') | list }}",
        "{{ a | attr('items') }}", "{{ s.format(s) }}", "{{ '{0.__class__}'.format(1) }}", "{{ s.upper() }}",
        "{{ self.__init__ }}", "{{ cycler }}", "{{ lipsum }}", "{{ namespace() }}", "{{ dict() }}", "{{ joiner() }}",
        "{% for x in l %}{{ loop.__class__ }}{% endfor %}", "{% for x in l %}{{ loop._iterator }}{% endfor %}",
        "{{ range.__call__ }}", "{{ a.update({}) }}", "{{ a.pop('b') }}", "{{ l.append(1) }}",
        # Other files and definitions.
        "{% include 'x' %}", "{% import 'os' as os %}", "{% from 'x' import y %}", "{% extends 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}", "{% block b %}{% endblock %}", "{% filter upper %}x{% endfilter %}",
        "{% set x %}y{% endset %}", "{% call m() %}{% endcall %}",
        "{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
        "{% with %}{% endwith %}", "{% autoescape true %}{% endautoescape %}",
        # Work without end.
        "{{ 'a' * 10000000000 }}", "{{ l * 1000000000 }}", "{{ 9 ** 999999999 }}", "{{ '%1000000000d' % 1 }}",
        "{{ range(100000000) | list }}", "{{ range(1000) | list | length * 10 ** 9 }}", "{{ s | center(1000000000) }}",
        "{{ s | indent(1000000000) }}", "{{ '%s' | format(s) }}", "{{ s | wordwrap(1) }}",
        "{{ l | batch(1000000000, 0) }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{{ range(1000) | join('0123456789') }}{% endfor %}",
        "{% set x = s %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
        "{% set x = s %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
        "{% set x = s %}" + "{% set x = x | replace('t', x) %}" * 40 + "{{ x }}",
        "{% set x = [s] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}",
        "{% set x = [s] %}" + "{% set x = [x, x] %}" * 40 + "{{ x | tojson }}",
        "{% set x = [s] %}" + "{% set x = [x, x] %}" * 40 + "{{ x | string }}",
        "{% set x = [s] %}" + "{% set x = {'k': x, 'l': x} %}" * 40 + "{{ x.items() }}",
        "{% set x = 9 %}" + "{% set x = x * x %}" * 40 + "{{ x }}",
        "{{ " + "(" * 200 + "1" + ")" * 200 + " }}" + "{{ [" * 70 + "] }}" * 70,
        "{% if " + "not " * 300 + "a %}{% endif %}",
        # What is not there.
        "{{ missing }}", "{{ a.missing.deeper }}", "{{ l[99] }}", "{{ missing | tojson }}", "{% if %}", "{{ 1 / 0 }}",
        "{{ s + 1 }}", "{{ l + s }}",
    ],
)  # fmt: skip
def test_what_a_template_may_not_do(template):
    with pytest.raises(FAULTS):
        make(template)


def test_a_result_has_a_size():
    with pytest.raises(FAULTS, match="makes more than 262,144 characters"):
        make("{% for _ in range(1000) %}" + "x" * 300 + "{% endfor %}")
    assert len(make("{% for _ in range(1000) %}" + "x" * 260 + "{% endfor %}")) < MAX_TEXT


def test_loops_share_one_bound_and_each_rendering_has_its_own():
    text = "{% for a in range(900) %}{% for b in range(10) %}{% endfor %}{% endfor %}"
    for _ in range(3):
        assert make(text) == ""
    with pytest.raises(FAULTS, match="loops more than 10,000 times"):
        make(text + text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}%|.[]()'\"~+-*=, \nabls01_iforn", max_size=80))
def test_no_text_does_anything_but_render_or_fail(text):
    try:
        made = make(text)
    except FAULTS:
        return
    assert len(made) <= MAX_TEXT
