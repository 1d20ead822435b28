"""Which documents there are: found once, so that a request can name only a file of this list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MEDIA_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".md": "text/markdown; charset=utf-8",
}
SECTIONS = {"": "", "guides": "Guides", "reference": "Reference", "project": "Project"}
"""The sections of the navigation, in order, with their titles; the first holds the index."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A page as it is written: front matter apart, Markdown as it stands."""

    title: str
    description: str
    order: int | None
    """The place in its section; pages without one are not in the navigation."""
    markdown: str


def docs_directory() -> Path:
    """The folder of the Markdown files: in the installed package, else of the checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_docs", package.parent.parent / "docs"):
        if (folder / "index.md").is_file():
            return folder
    raise FileNotFoundError("the documentation is missing from this installation")


def find_files(folder: Path) -> dict[str, Path]:
    """Every servable file below `folder`, by its path relative to it (``guides/auth.md``)."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix in MEDIA_TYPES and path.is_file() and not path.is_symlink()
    }


def page_name(file: str) -> str:
    """``guides/auth.md`` → ``guides/auth``; the index of a folder is the folder itself."""
    name = file.removesuffix(".md")
    return "" if name == "index" else name.removesuffix("/index")


def section_of(file: str) -> str:
    """The navigation section a file stands in."""
    if file == "index.md":
        return ""
    folder = file.split("/", 1)[0]
    return folder if folder in SECTIONS else "project"


def parse_source(text: str) -> Source:
    """Split a file into front matter and Markdown. Without a title the first heading is one."""
    match = _FRONT_MATTER.match(text)
    markdown = text[match.end() :] if match else text
    fields = dict.fromkeys(("title", "description", "order"), "")
    for line in match.group(1).splitlines() if match else ():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    heading = _HEADING.search(markdown)
    return Source(
        title=fields["title"] or (heading.group(1) if heading else "Untitled"),
        description=fields["description"],
        order=int(fields["order"]) if fields["order"] else None,
        markdown=markdown,
    )
