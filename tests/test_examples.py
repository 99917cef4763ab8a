"""Every result shows how it is made: an example in its own docstring, or in that of the function that returns it."""

import importlib
import inspect
from pathlib import Path

import pytest

import toolkit
from toolkit.results import Result

ROOT = Path(toolkit.__file__).parent
PROMPT = ">>> "


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT.parent).with_suffix("")
        yield importlib.import_module(".".join(place.parts).removesuffix(".__init__"))


def functions(module):
    """Functions that a module defines, methods and properties of its classes too."""
    for found in vars(module).values():
        if getattr(found, "__module__", None) != module.__name__:
            continue
        for one in vars(found).values() if inspect.isclass(found) else [found]:
            one = getattr(one, "fget", None) or getattr(one, "func", None) or getattr(one, "__func__", one)
            if inspect.isfunction(one):
                yield one


def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


def wing(one):
    return one.__module__.split(".")[1]


def examples():
    """For each kind of result, whether its docstring or a maker's has an example; makers live in the same wing."""
    shown = {
        (wing(one), one.__annotations__.get("return"))
        for module in modules()
        for one in functions(module)
        if PROMPT in (one.__doc__ or "")
    }
    for kind in below(Result):
        if kind.__module__.startswith("toolkit."):
            yield kind, PROMPT in (kind.__doc__ or "") or (wing(kind), kind.__name__) in shown


FOUND = dict(examples())


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: f"{wing(kind)}-{kind.__name__}")
def test_a_result_has_an_example_of_its_own_or_in_its_maker(kind):
    assert FOUND[kind], f"no example of {kind.__name__}: 3 to 8 lines on hand-made data that print a number"


def test_results_of_a_wing_have_names_of_their_own():
    named = [(wing(kind), kind.__name__) for kind in FOUND]
    assert len(named) == len(set(named))
