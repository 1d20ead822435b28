"""What commands print: one JSON document, or text for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_A_FILE = 240


def print_json(document: Any) -> None:
    """Print one JSON document, in UTF-8 whatever the terminal speaks."""
    import orjson

    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(document) + b"\n")
    sys.stdout.buffer.flush()


def console(*, err: bool = False) -> Console:
    """Where text goes; a file or pipe gets wide lines, so that rows stay on one."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_A_FILE
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=False)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, whole: int = 0) -> None:
    """Print rows under titles; the column at `whole` is never cut."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title, no_wrap=place == whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)
