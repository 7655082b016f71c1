"""A Sphinx extension: names in code become links to their pages in the references.

`halonmf fit`, alone or with options, leads to that command; `halo.profile`, `nmfcore.factorize(V, 2)` to that name.
"""

from __future__ import annotations

import re
from typing import Any

import reference
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

NAMED = re.compile(r"(halonmf|halo\.|nmfcore\.) ?(\w+)")


def targets() -> dict[tuple[str, str], str]:
    """Return the page of every name that can be linked, by what stands before it."""
    found = {("halonmf", name): f"/reference/commands/{name}" for name in reference.commands()}
    for door in reference.DOORS:
        short = door.rpartition(".")[2]
        for name, value in reference.names_of(door).items():
            found[f"{short}.", name] = f"/reference/{reference.place(door, name, value)}"
    return found


class LinkNames(SphinxTransform):
    """Wrap each such piece of code in a reference to its page."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Link all of a page, but not to the page itself."""
        for code in list(self.document.findall(nodes.literal)):
            named = NAMED.match(code.astext())
            page = self.config.named_pages.get(named.groups()) if named else None
            # the page on itself, and headings, whose text goes into menus, are left alone
            alone = isinstance(code.parent, nodes.reference | addnodes.pending_xref | nodes.title)
            if page is None or alone or page == f"/{self.env.docname}":
                continue
            link = addnodes.pending_xref("", refdomain="std", reftype="doc", reftarget=page, refexplicit=True)
            code.replace_self(link)
            link += code


def setup(app: Any) -> dict[str, Any]:
    """Add the transform to Sphinx."""
    app.add_config_value("named_pages", targets(), "")
    app.add_transform(LinkNames)
    return {"version": "1", "parallel_read_safe": True}
