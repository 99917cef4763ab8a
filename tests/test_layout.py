"""The house: arrows between rooms run downwards only, and opening the door costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit

ROOT = Path(toolkit.__file__).parent
#: From the roof down. A room may import from rooms further down, and from itself.
STOREYS = [
    ["panels"],
    ["scenarios"],
    ["interruptions", "tiers", "cohorts", "funnels"],
    ["logs", "sources"],
    ["results", "intervals", "style", "fonts"],
]
DRAWING = {"matplotlib", "seaborn", "ipywidgets"}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path, *, at_start=False):
    """Names that a module imports; those under TYPE_CHECKING are left out."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    nodes = tree.body if at_start else [node for node in ast.walk(tree) if id(node) not in hidden]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_rooms_below(path):
    storey = {name: height for height, names in enumerate(STOREYS) for name in names}
    assert room(path) in storey, f"{room(path)} has no place in the house"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "toolkit" and len(parts) > 1 and parts[1] in storey and parts[1] != room(path):
            assert storey[parts[1]] > storey[room(path)], f"{path.name} imports {name} from above or beside"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_plots_and_panels_know_how_to_draw(path):
    if path.stem in ("plots", "axes", "style") or room(path) in ("panels", "fonts"):
        return
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & DRAWING, (
        f"{path.name} imports {roots & DRAWING}; a result reaches for its wing's plots"
    )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 420, "split it: a module has one noun for a name"
    assert ast.get_docstring(ast.parse(path.read_text())), "its first line says what it is"


def test_importing_the_toolkit_loads_the_standard_library_only():
    code = "import sys, toolkit; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    plain = set(
        subprocess.run(
            [sys.executable, "-c", code.replace(", toolkit", "")], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert loaded - plain - set(sys.stdlib_module_names) == {"toolkit"}


def test_every_public_name_is_there_and_described():
    for name in toolkit.__all__:
        assert getattr(toolkit, name).__doc__, f"{name} has no docstring"
        assert f"\n{name} " in toolkit.__doc__, f"{name} is not on the map"
    with pytest.raises(AttributeError, match="no attribute 'funnels_of'"):
        _ = toolkit.funnels_of


def test_nothing_is_fetched_at_run_time():
    from toolkit.logs.engines import connect

    setting = connect().execute("SELECT current_setting('autoinstall_known_extensions')").fetchone()
    assert setting == (False,)
