"""Links, paths, commands and Python in the documents: all of them name what exists, and tools take their options."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from tool_runs import load_tool

import bev
from bev.engine.cli import DictAction
from bev.engine.config import load_config

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "data/*.md", "ops/*.md", "ops/benchmarks/*.md", "projects/**/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL_TOOLS = {"dist_train.sh": ("train", 1), "dist_test.sh": ("test", 2), "slurm_train.sh": ("train", -1)}
PLACEHOLDERS = {"HEIGHT": "256", "WIDTH": "704", "H": "256", "W": "704", "V": "t", "DTYPE": "float32", "SCALE": "2"}
PATTERNS = {"tests/a/test_b.py", "bev/a/b.py", "tests/ops/squared_relu/test_op.py"}  # of files that needn't be there
USUAL_CONFIG = "configs/bevformerv2_internimage_t.py"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    return FENCE.sub("", text_of(page))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_of(page: Path) -> Iterator[tuple[list[str], bool]]:
    """Words of each command, and whether it is whole: what is named inside of a sentence may lack arguments."""
    for language, block in FENCE.findall(text_of(page)):
        if not language:
            for line in block.replace("\\\n", " ").splitlines():
                yield from ((words, True) for words in variants_of(line))
    for code in re.findall(r"`([^`]+)`", prose_of(page)):
        yield from ((words, False) for words in variants_of(" ".join(code.split())))


def variants_of(line: str) -> Iterator[list[str]]:
    """A line's words without its comment, and with what is optional; one variant for each of `[a | b]` and `{a,b}`."""
    choices = [
        [line[: match.start()] + option + line[match.end() :] for option in re.split(r" \| |,", match.group(1))]
        for match in re.finditer(r"\[((?:-| )[^\]]*)\]|(?<=\w)\{([\w,]+)\}", line)
        if match.group(1)
    ]
    for plain in next(iter(choices), [line]):
        with contextlib.suppress(ValueError):  # a sentence's apostrophe
            words = shlex.split(re.sub(r" \[(-[^\]]*)\]", r" \1", plain), comments=True)
            expanded = [list(expand(word)) for word in words]
            if any(re.match(r"(tools/\w+\.(py|sh)|-m)$", word) for word in words):
                yield [word for group in expanded for word in group]


def expand(word: str) -> Iterator[str]:
    """As a shell expands `{a,b}`."""
    parts = [part.split(",") for part in re.split(r"\{([^{}]*,[^{}]*)\}", word)]
    if word.count("{") == 1 and len(parts) == 3 and word.startswith("configs/"):
        yield from ("".join(chosen) for chosen in product([word.split("{")[0]], parts[1], [word.split("}")[1]]))
    else:
        yield word


COMMANDS = [
    pytest.param(page, words, whole, id=f"{name_of(page)}: {' '.join(words)}"[:150])
    for page in PAGES
    for words, whole in commands_of(page)
]


def relax(parser: argparse.ArgumentParser) -> None:
    """Let a parser do without arguments that it requires."""
    for action in parser._actions:
        action.required = False
        action.nargs = {None: "?", "+": "*"}.get(action.nargs, action.nargs)
        if isinstance(action, argparse._SubParsersAction):
            action.nargs = argparse.PARSER
            for choice in action.choices.values():
                relax(choice)
    for group in parser._mutually_exclusive_groups:
        group.required = False


class Parsed(Exception):  # noqa: N818  (nothing went wrong)
    """Ends a tool once it has read its command line."""


def parsed(module: object, arguments: list[str], whole: bool, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What a tool makes of its command line; its complaint is an assertion."""
    original, errors = argparse.ArgumentParser.parse_args, io.StringIO()

    def parse(parser: argparse.ArgumentParser, given: list[str] | None = None) -> None:
        if not whole:
            relax(parser)
        raise Parsed(original(parser, given))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(sys, "argv", ["tool", *arguments])
    try:
        with contextlib.redirect_stderr(errors):
            module.main()
    except SystemExit:
        raise AssertionError(errors.getvalue()) from None
    except Parsed as end:
        return end.args[0]
    raise AssertionError(f"{module} read no command line")


def split_command(words: list[str]) -> tuple[str, list[str]] | None:
    """Name of the tool, or of the module behind `-m`, and its arguments; None for other programs."""
    for position, word in enumerate(words):
        rest = words[position + 1 :]
        if word == "-m" and rest:
            return rest[0], rest[1:]
        script = re.fullmatch(r"tools/(\w+)\.py", word)
        if script:
            return script.group(1), rest
        shell = SHELL_TOOLS.get(word.removeprefix("tools/"))
        if shell:
            tool, dropped = shell
            rest = rest[2:] if dropped < 0 else rest[:dropped] + rest[dropped + 1 :]
            return tool, rest
    return None


def module_of(name: str) -> object | None:
    if (ROOT / "tools" / f"{name}.py").is_file():
        return load_tool(name)
    return importlib.import_module(name) if name.split(".")[0] in ("bev_ops", "projects") else None


@pytest.mark.parametrize(("page", "words", "whole"), COMMANDS)
def test_tools_take_what_the_documents_say(
    page: Path, words: list[str], whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    name, arguments = split_command(words)
    own = re.findall(r"^`([\w./]+)`$", text_of(page), re.MULTILINE)
    if name.replace(".", "/") + ".py" in own:
        return
    module = module_of(name)
    if module is None:
        assert name == "pytest", words
        missing = [word for word in arguments if word.startswith("tests/") and not (ROOT / word).exists()]
        assert not missing
        return
    arguments = [PLACEHOLDERS.get(word, word) for word in arguments if word != "..."]
    options = parsed(module, arguments, whole, monkeypatch)
    paths = [word for word in arguments if re.match(r"(projects/)?(\w+/)?configs(/|$)", word) and word not in own]
    assert not [word for word in paths if not (ROOT / word).exists()]
    overrides, config = getattr(options, "cfg_options", None), getattr(options, "config", None)
    if isinstance(overrides, list):  # tools/compare.py hands them on as they are
        words = (override.split("=", 1) for override in overrides)
        overrides = {key: DictAction._parse_iterable(value) for key, value in words}
    if overrides:
        bev.register_all()
        known = str(config) if str(config).endswith(".py") else USUAL_CONFIG
        load_config(ROOT / known, overrides)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_exist(page: Path) -> None:
    """Those of code, tests, configs and documents that stand in backticks."""
    absent = []
    for code in re.findall(r"`((?:bev|ops|tests|tools|docs|configs|requirements)/[\w./*{},-]*)`", prose_of(page)):
        names = [code]
        for inner in re.findall(r"\{([\w,-]+)\}", code):
            names = [name.replace(f"{{{inner}}}", option) for name in names for option in inner.split(",")]
        absent += [name for name in names if name not in PATTERNS and not list(ROOT.glob(name))]
    made = re.findall(r"^`([\w./]+)`\n\n```", text_of(page), re.MULTILINE)
    folders = {str(Path(name).parent) for name in made}
    assert not [name for name in absent if name not in made and str(Path(name).parent) not in folders]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_imports_what_there_is(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are Python, and what they import from here exists."""
    monkeypatch.syspath_prepend(str(ROOT))
    for language, block in FENCE.findall(text_of(page)):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("bev", "bev_ops"):
                if node.module.startswith("bev_ops.squared_relu") or "huggingface" in node.module:
                    continue
                module = importlib.import_module(node.module)
                assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], node.module


def test_figures_are_shown() -> None:
    figure = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
    shown = {(page.parent / link).resolve() for page in PAGES for link in figure.findall(text_of(page))}
    assert set((ROOT / "docs" / "figures").iterdir()) == shown


def test_the_read_me_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) < 250


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:^|`)make ([\w-]+)", text_of(page), re.MULTILINE)}
    assert named
    assert named <= targets
