"""Pages that say what another file says include it: a hook of mkdocs.

    <!-- include README.md "Train" -->    what is below this heading
    <!-- include curricula/README.md -->  a whole file without its title
    <!-- notebooks -->                    a table of experiments/notebooks

What cannot be found is an error. Links to files of the repository become links to the pages that show them.
"""

import json
import re
from pathlib import Path

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[2]
PAGES = {
    "go_env": "api/go_env.md",
    "rl_pretrain": "api/rl_pretrain.md",
    "curricula": "api/curricula.md",
    "esolang": "api/esolang.md",
    "experiments": "experiments.md",
    "WORKSPACE.md": "map.md",
    "WORKSPACE.md#the-contract": "contract.md",
    "curricula/README.md": "tasks.md",
    "experiments/notebooks": "notebooks.md",
}
"""Where the site shows what a link in a file of the repository leads to; what is in docs is shown as it is."""


def on_page_markdown(markdown: str, page, **_) -> str:
    def included(match: re.Match) -> str:
        name, heading = match.groups()
        try:
            return moved(section((ROOT / name).read_text(), heading))
        except (OSError, ValueError) as error:
            raise PluginError(f"{page.file.src_path} includes {name}: {error}") from None

    markdown = markdown.replace("<!-- notebooks -->", notebooks())
    return re.sub(r'^<!-- include (\S+?)(?: "(.+)")? -->$', included, markdown, flags=re.M)


def section(text: str, heading: str | None) -> str:
    """What stands below a heading, with lower ones; of the title, what stands before any. Or all below the title."""
    is_code, kept, level = False, None, 0
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        marks, _, title = line.partition(" ")
        if not is_code and marks and not marks.strip("#"):
            if kept is None and heading in (title, None):
                kept, level = [], max(len(marks), 2) if heading else 0
                continue
            if kept is not None and len(marks) <= level:
                break
        if kept is not None:
            kept.append(line)
    if kept is None:
        raise ValueError(f"there is no heading {heading!r}")
    return "\n".join(kept).strip()


def moved(text: str) -> str:
    """With links that lead to pages of this site."""

    def link(match: re.Match) -> str:
        target = match[1]
        if target.startswith(("http", "#")):
            return match[0]
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')})"
        if target not in PAGES:
            raise ValueError(f"no page shows {target}; name one in {Path(__file__).name}")
        return f"]({PAGES[target]})"

    return re.sub(r"\]\(([^)\s]+)\)", link, text)


def notebooks() -> str:
    """A table: each notebook, its title, and the first paragraph."""
    rows = ["| notebook | what it shows |", "|---|---|"]
    for path in sorted((ROOT / "experiments/notebooks").glob("*.ipynb")):
        title, *paragraphs = "".join(json.loads(path.read_text())["cells"][0]["source"]).split("\n\n")
        first = " ".join(paragraphs[0].split()) if paragraphs else ""
        rows.append(f"| `{path.name}` | **{title.removeprefix('# ')}.** {first} |")
    return "\n".join(rows)
