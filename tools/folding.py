"""Which cells are folded, and the words that unfold them, in the book, JupyterLab and Colab alike.

A source folds a cell by the tag `hide-input`. Two kinds fold themselves: cells of checks alone, and
cells that import much. What a cell is can be read from its code.
"""

import ast

from nbformat import NotebookNode

FOLDED = "hide-input"  # the tag that the book knows
MANY_IMPORTS = 5
WORDS = {
    ("figure",): "Code of this figure",
    ("checks",): "Code of these checks",
    ("checks", "figure"): "Code of this figure, and the checks",
    ("imports",): "Imports",
    ("figure", "imports"): "Imports, and the code of this figure",
}


def fold(cell: NotebookNode, words: str) -> None:
    """Fold a code cell under `words`."""
    tags = cell.metadata.get("tags", [])
    cell.metadata["tags"] = tags if FOLDED in tags else [*tags, FOLDED]
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"  # for Colab, which writes "Show code" in its place
    cell.metadata["mystnb"] = {"code_prompt_show": words, "code_prompt_hide": words}


def fold_what_is_not_read(cells: list[NotebookNode]) -> None:
    """Fold the code cells that are tagged, or checks alone, or imports in the main."""
    for cell in cells:
        if cell.cell_type == "code":
            code = ast.parse(cell.source)
            asked = FOLDED in cell.metadata.get("tags", [])
            if asked or only_checks(code.body) or many_imports(code):
                found = tuple(sorted(kinds(code)))
                fold(cell, WORDS.get(found, "Code"))
                if found == ("checks",):
                    cell.metadata["tags"].append("checks")  # for the page's style


def kinds(code: ast.Module) -> set[str]:
    """What there is in a cell: imports, checks, a figure."""
    calls = [node for node in ast.walk(code) if isinstance(node, ast.Call)]
    captions = any(word.arg == "caption" for call in calls for word in call.keywords)
    names = [ast.unparse(call.func) for call in calls]
    found = {
        "imports": many_imports(code),
        "checks": bool({"claim", "summary"} & set(names)),
        "figure": captions or any(name.startswith("explorer.") for name in names),
    }
    return {kind for kind, there in found.items() if there}


def many_imports(code: ast.Module) -> bool:
    imports = [line for line in code.body if isinstance(line, ast.Import | ast.ImportFrom)]
    return len(imports) > MANY_IMPORTS


def only_checks(statements: list[ast.stmt]) -> bool:
    """Is each statement a claim, or a loop or condition around claims? An empty cell has none."""
    return bool(statements) and all(map(_is_check, statements))


def _is_check(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.For | ast.If):
        return only_checks([*statement.body, *statement.orelse])
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func) == "claim"
