"""A Sphinx extension: every page of docs/notebooks/ offers itself as an executed notebook, to be opened in Jupyter.

The pages run with warnings as errors, in a profile of IPython that is written here: no cell of theirs says so, and a
reader's own session is left alone.
"""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

FOLDER = "notebooks"
STARTUP = r"""
import warnings

warnings.simplefilter("error")
warnings.filterwarnings("default", module=r"(ipykernel|jupyter_client|tornado|zmq)\b")  # the kernel's own
"""
"""What runs in every kernel before the first cell."""
LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)([\w/.-]+\.md)(?:#[\w-]+)?\)")
"""A link to a page that is no notebook."""
SIBLING = re.compile(r"\]\(([\w-]+)\.md\)")
"""A link to another notebook."""


def profile(folder: pathlib.Path) -> None:
    """Write IPython's folder with what is to run at its start, for kernels that are started from now on."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "warnings.py").write_text(STARTUP)
    os.environ["IPYTHONDIR"] = str(folder)


def portable(notebook: Any) -> Any:
    """Return a notebook that stands by itself: links to other pages name their files, and no setting of the site stays.

    Raises
    ------
    nbformat.ValidationError
        It is no notebook that Jupyter would open.
    """
    made = nbformat.from_dict(
        {**notebook, "metadata": {key: notebook["metadata"][key] for key in ("kernelspec", "language_info")
                                  if key in notebook["metadata"]}}
    )  # fmt: skip
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = SIBLING.sub(r"](\1.ipynb)", LINK.sub(r"\1 (docs/\2)", cell.source))
    nbformat.validate(made)
    return made


class Download(SphinxTransform):
    """Put a link to the executed notebook below the title of its page."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Rewrite the notebook that was left by the page's execution, and link it."""
        name = self.env.docname
        title = next(iter(self.document.findall(nodes.title)), None)
        if not name.startswith(f"{FOLDER}/") or title is None:
            return
        path = pathlib.Path(self.env.mystnb_config.output_folder) / f"{name}.ipynb"
        nbformat.write(portable(nbformat.read(path, as_version=4)), path)
        target = "/" + os.path.relpath(path, self.env.srcdir).replace(os.sep, "/")
        link = addnodes.download_reference("", reftarget=target, classes=["download"])
        link += nodes.literal("", path.name)
        line = nodes.paragraph(
            "", "Everything on this page ran when it was built. It is a notebook: ", link, nodes.Text(".")
        )
        title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Any) -> dict[str, Any]:
    """Prepare the kernels, and add the transform to Sphinx."""
    profile(pathlib.Path(app.srcdir) / "_build" / "ipython")
    app.add_transform(Download)
    return {"version": "1", "parallel_read_safe": True}
