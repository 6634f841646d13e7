"""The house rules that can be counted: sizes, names, and which way imports go."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("bev", "ops", "projects", "tools", "tests")
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_CONFIG_LINES = 500, 50, 60
FLOORS = (
    ("benchmark_record", "errors", "version"),
    ("compat",),
    ("geometry",),
    ("structures",),
    ("datasets",),
    ("transforms",),
    ("models",),
    ("evaluation",),
    ("engine",),
    ("inference", "visualization"),
)
"""Parts of `bev`, from the lowest: each imports from those below it only."""


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, nodes: Iterator[ast.AST], known: set[str]) -> set[str]:
    """Modules among the `known` ones that statements of a file import; a module's package counts for what isn't one."""
    package = name_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = {f"{source}.{alias.name}" for alias in node.names}
            found |= {name if name in known else source for name in names}
    return found & known


def at_import(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Statements of a module outside of functions and classes; those for type checkers, too, for they tie as much."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from at_import([*node.body, *node.orelse])


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*CODE, "configs")}
    assert not {str(path): length for path, length in lengths.items() if length > MAX_FILE_LINES}


def test_functions_are_short() -> None:
    long = []
    for path in modules(*CODE):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    assert not long


@pytest.mark.parametrize("pattern", ["configs/*.py", "projects/*/configs/*.py"])
def test_whole_configs_are_short(pattern: str) -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob(pattern)}
    assert lengths
    assert not {path: length for path, length in lengths.items() if length > MAX_CONFIG_LINES}


def test_tests_mirror_the_code() -> None:
    """Code in `bev/models/heads` is tested in `tests/models/heads`, and so on for every folder."""
    rooms = {path.parent.relative_to(ROOT / "bev") for path in modules("bev") if path.name != "__init__.py"}
    rooms |= {path.parent.relative_to(ROOT) for path in modules("tools")}
    rooms |= {Path("projects", path.name) for path in (ROOT / "projects").iterdir() if (path / "__init__.py").is_file()}
    tested = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    assert not rooms - tested, "no tests of these"
    homeless = {room for room in tested if not any((ROOT / part / room).is_dir() for part in ("", "bev"))}
    assert not homeless, "tests of nothing that is there"


def test_all_names_are_typed() -> None:
    """But those of functions that numba compiles for the types of their arguments."""
    untyped = []
    for path in modules("bev", "ops", "projects", "tools"):
        for node in ast.walk(tree_of(path)) if "configs" not in path.parts else ():
            if isinstance(node, ast.FunctionDef) and "jit" not in {ast.unparse(entry) for entry in node.decorator_list}:
                of = node.args
                names = [*of.posonlyargs, *of.args, *of.kwonlyargs, *filter(None, (of.vararg, of.kwarg))]
                missing = [
                    entry.arg for entry in names if entry.annotation is None and entry.arg not in ("self", "cls")
                ]
                if missing or (node.returns is None and node.name != "__init__"):
                    untyped.append(f"{path}:{node.lineno} {node.name}: {', '.join(missing) or 'what it returns'}")
    assert not untyped


def test_no_public_class_name_stands_for_two_classes() -> None:
    places = defaultdict(list)
    for path in modules("bev", "projects", "ops"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_no_modules_import_each_other() -> None:
    paths = {name_of(path): path for path in modules("bev", "projects", "ops")}
    graph = {name: imported(path, at_import(tree_of(path).body), set(paths)) - {name} for name, path in paths.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_imports_lead_downwards() -> None:
    """Those inside of functions, too."""
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    paths = {name_of(path): path for path in modules("bev")}
    assert {name.split(".")[1] for name in paths if "." in name} == set(floor)
    upward = []
    for name, path in paths.items():
        part = name.split(".")[1] if "." in name else None
        for other in imported(path, ast.walk(tree_of(path)), set(paths)):
            its_part = other.split(".")[1] if "." in other else None
            if part and its_part and part != its_part and floor[its_part] >= floor[part]:
                upward.append(f"{name} imports {other}")
    assert not upward


def test_the_framework_knows_no_project() -> None:
    paths = {name_of(path): path for path in modules("bev", "ops", "projects")}
    projects = {name for name in paths if name.startswith("projects")}
    for path in modules("bev", "ops"):
        assert not imported(path, ast.walk(tree_of(path)), projects), path
