"""The pages of the documentation, taken apart: blocks, links, and the commands they mention.

A comment in the line above a block says what is to be done with it:

<!-- file: NAME -->         it is the content of the file NAME, for the blocks below it on the page
<!-- refused -->            (of a scenario) it is wrong, and the check must say so; also `file: NAME, refused`
<!-- shrink: ARGUMENTS -->  (of commands) ARGUMENTS are added to every `coterie run`; the output shown is that without them
<!-- not run: REASON -->    it is not run
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name != "results.md")]
LANGUAGES = {"yaml", "python", "console", "text", "json"}
DIRECTIVES = ("file", "refused", "shrink", "not run")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language and text, and what the comment above it says."""

    page: Path
    line: int
    language: str
    text: str
    directives: dict[str, str]

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text().splitlines()
    begun: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begun is None:
            begun = number
            continue
        above = lines[begun - 1].strip() if begun else ""
        yield Block(page, begun + 1, lines[begun][3:], "\n".join(lines[begun + 1 : number]) + "\n", directives(above, page))
        begun = None
    assert begun is None, f"{page}: the block at line {begun} has no end"


def directives(above: str, page: Path) -> dict[str, str]:
    """What a comment line asks for."""
    found = re.fullmatch(r"<!-- (.*) -->", above)
    if found is None:
        return {}
    parts = [found[1]] if found[1].startswith(("shrink", "not run")) else found[1].split(", ")
    asked = {name: value.strip() for name, _, value in (part.partition(":") for part in parts)}
    assert set(asked) <= set(DIRECTIVES), f"{page}: {above} asks for something unknown"
    return asked


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block (lines that begin with `$ `, a final backslash joins) with the output below each."""
    parts = re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)
    assert not parts[0].strip(), "output without a command"
    for part in parts[1:]:
        command, _, output = part.partition("\n")
        yield " ".join(command.partition("  #")[0].split()), output


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as web pages of repositories number them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE):
        anchor = "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")
        found.add(next(name for name in (anchor, *(f"{anchor}-{n}" for n in range(1, 99))) if name not in found))
    return found
