"""Check that every link inside the built documentation leads to a page and an anchor that are there.

Run with: python docs/check_links.py docs/_build/html
"""

from __future__ import annotations

import pathlib
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag links to and what it names."""
        for name, value in attrs:
            if value and name == "id":
                self.anchors.add(value)
            elif value and ((tag == "a" and name == "href") or (tag == "img" and name == "src")):
                self.links.append(value)


def broken(folder: pathlib.Path) -> list[str]:
    """Return every internal link that leads nowhere, as ``page: link``."""
    pages = {}
    for path in folder.rglob("*.html"):
        pages[path.resolve()] = page = Page()
        page.feed(path.read_text(encoding="utf-8"))
    wrong = []
    for path, page in sorted(pages.items()):
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            found = target.exists() and (not anchor or target not in pages or anchor in pages[target].anchors)
            if not found:
                wrong.append(f"{path.relative_to(folder.resolve())}: {link}")
    return wrong


if __name__ == "__main__":
    found = broken(pathlib.Path(sys.argv[1]))
    sys.exit("\n".join(["links that lead nowhere:", *found]) if found else 0)
