"""The house: arrows run downwards only, between wings and inside them, and opening the door costs nothing."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import toolkit

ROOT = Path(toolkit.__file__).parent
#: From the roof down. A wing may import from wings further down, and from itself.
STOREYS = [
    ["panels", "reports"],
    ["scenarios", "changes", "inputs"],
    ["tiers"],
    ["interruptions", "cohorts", "funnels"],
    ["logs"],
    ["sources"],
    ["clusters", "decompositions", "propagation", "intervals", "results", "style"],
    ["dates", "multiplicity", "counts", "wording", "compiled", "fonts", "progress"],
]
DRAWING = {"matplotlib", "seaborn", "ipywidgets"}
MOST_FILES = 20


def wing(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path):
    """Dotted names that a module imports, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # A module named at run time is an arrow too.
            yield from (part.value for part in node.args if isinstance(part, ast.Constant))


def file_of(name):
    """The file that an imported name of the toolkit lives in; None for the door itself and for other packages."""
    parts = name.split(".")
    if parts[0] != "toolkit":
        return None
    for size in range(len(parts), 1, -1):
        place = ROOT.joinpath(*parts[1:size])
        for found in (place.with_suffix(".py"), place / "__init__.py"):
            if found.exists():
                return found
    return None


def arrows(path):
    """Files of the toolkit that a file imports; a wing's door stands for the files behind it."""
    for name in imports(path):
        found = file_of(name)
        if found is None or found == path:
            continue
        if found.name == "__init__.py" and wing(found) == wing(path):
            yield from door(found, name.split(".")[-1])
        else:
            yield found


def door(init, name):
    """The file behind a wing's door that gives a name."""
    behind = [file_of(one) for one in imports(init) if one.split(".")[-1] == name]
    return [found for found in behind if found is not None]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_wing_imports_only_from_wings_below(path):
    storey = {name: height for height, names in enumerate(STOREYS) for name in names}
    assert wing(path) in storey, f"{wing(path)} has no place in the house"
    for found in arrows(path):
        if wing(found) != wing(path):
            assert storey[wing(found)] >= storey[wing(path)], f"{path.name} imports {found} from above"
            beside = storey[wing(found)] == storey[wing(path)]
            assert not beside or found.parent == ROOT, f"{path.name} imports {found} from beside"


@pytest.mark.parametrize("name", sorted({wing(path) for path in modules()}))
def test_no_files_of_a_wing_import_each_other_in_a_circle(name):
    own = [path for path in modules() if wing(path) == name and path.name != "__init__.py"]
    graph = {path: {found for found in arrows(path) if wing(found) == name} for path in own}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(str(path.relative_to(ROOT)) for path in reversed(error.args[1])))


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if path.stem in ("plots", "axes")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_plots_take_frames_and_words_and_import_no_result(path):
    for found in arrows(path):
        holds_result = "(Result)" in found.read_text() or "Result)" in found.read_text()
        assert not holds_result, f"{path.name} imports {found.relative_to(ROOT)}, where a result lives"


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules()} | {ROOT}))
def test_a_folder_can_be_taken_in_at_a_glance(folder):
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, f"{folder.relative_to(ROOT)} has {len(files)} files"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_plots_and_panels_know_how_to_draw(path):
    if path.stem in ("plots", "axes", "style") or wing(path) in ("panels", "fonts"):
        return
    roots = {name.split(".")[0] for name in imports(path) if name != "matplotlib.axes.Axes"}
    assert not roots & DRAWING, (
        f"{path.name} imports {roots & DRAWING}; a result reaches for its wing's plots"
    )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 420, "split it: a module has one noun for a name"
    assert ast.get_docstring(ast.parse(path.read_text())), "its first line says what it is"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_unpickles_or_fetches(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & {"pickle", "marshal", "shelve", "joblib", "requests", "urllib", "http", "socket"}


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
    from toolkit.logs.duckdb_engine import connect

    setting = connect().execute("SELECT current_setting('autoinstall_known_extensions')").fetchone()
    assert setting == (False,)
