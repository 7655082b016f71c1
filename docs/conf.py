"""How Sphinx builds the documentation: `make docs`."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import gallery  # noqa: E402 - found beside this file
import reference  # noqa: E402

from halonmf import halo  # noqa: E402

project = "halonmf"
author = "The halonmf developers"
copyright = "The halonmf developers"
version = release = halo.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "downloads",  # the pages of notebooks/ as executed notebooks
    "linking",  # links from the names of commands and functions to the references
]
nitpicky = True
smartquotes = False  # quotes and -- are typed into a shell
highlight_language = "text"  # of blocks that name none
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
html_theme = "furo"
html_title = "halonmf"
html_static_path = ["_static"]
html_css_files = ["halonmf.css"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "executed" / reference.code())
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_in_temp = True  # what a page writes does not stay

autodoc_typehints = "none"  # numpydoc's sections have types, shapes and units
default_role = "code"  # docstrings name things in single backticks
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
suppress_warnings = ["mystnb.unknown_mime_type"]


def setup(app):
    """Write the pages that are made from the code before Sphinx reads the folder."""
    reference.write(HERE / "reference")
    reference.copy(HERE.parent, HERE / "reference")
    gallery.fresh(reference.code())
    (HERE / "gallery.md").write_text(gallery.page())
