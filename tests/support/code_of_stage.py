"""Which files of src/ a stage script imports, found in the syntax alone."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"


def code_of_stage(script: Path, item: Mapping[str, str]) -> set[Path]:
    """Return the script and all files of partialseg that it imports, directly or not.

    A `match` on the name of a matrix axis ('architecture', 'dataset') counts only with the case
    that `item` has: that is how a stage imports one network, or one data set, of several.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += _imported(_parsed(file), item)
    return {file for file in found if file.name != "__init__.py"}


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _imported(node: ast.AST, item: Mapping[str, str]) -> Iterator[Path]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "partialseg":
        for name in node.names:
            yield _file(f"{node.module}.{name.name}") or _file(node.module) or SRC / "missing.py"
    elif isinstance(node, ast.Import):
        yield from filter(None, (_file(name.name) for name in node.names))
    for child in _children(node, item):
        yield from _imported(child, item)


def _children(node: ast.AST, item: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Match) and isinstance(node.subject, ast.Name):
        chosen = item.get(node.subject.id)
        if chosen is not None:
            for case in node.cases:
                if isinstance(case.pattern, ast.MatchValue):
                    value = case.pattern.value
                    if isinstance(value, ast.Constant) and value.value == chosen:
                        yield case
            return
    yield from ast.iter_child_nodes(node)


def _file(module: str | None) -> Path | None:
    if module is None or module.split(".")[0] != "partialseg":
        return None
    path = SRC.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
