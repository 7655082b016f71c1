"""The scripts that make pages of the documentation: references, links, gallery."""

import json
import types

import pytest

from .scripts import script


@pytest.fixture(scope="module")
def reference():
    return script("reference")


def test_help_is_shown_as_it_is(reference):
    assert reference._told_by_help('[default: 1] "|z|<2", J_r') == r'\[default: 1\] "|z|\<2", J\_r'


def test_options_in_help_are_code_and_its_pages_are_links(reference):
    shown = reference._told_by_help("With --dry-run nothing; see docs/gpu.md.")
    assert shown == "With `--dry-run` nothing; see [docs/gpu.md](../../gpu.md)."


def test_every_option_has_an_anchor_of_its_own(reference):
    for name, command in reference.commands().items():
        anchors = [anchor for _, anchor, _, _ in reference.rows(name, command)]
        assert len(set(anchors)) == len(anchors), name


def test_pages_differ_where_letters_may_not(reference):
    # fit and Fit are two pages to every disk
    paths = [path.lower() for path in reference.pages()]
    assert len(set(paths)) == len(paths)


def test_a_page_of_a_name_that_is_gone_is_removed(reference, tmp_path):
    reference.write(tmp_path)
    (tmp_path / "halo" / "gone.md").write_text("# gone\n")
    (tmp_path / "changelog.md").write_text("# Changelog\n")
    before = (tmp_path / "commands.md").stat().st_mtime_ns
    reference.write(tmp_path)
    assert not (tmp_path / "halo" / "gone.md").exists()
    assert (tmp_path / "changelog.md").exists()
    assert (tmp_path / "commands.md").stat().st_mtime_ns == before  # and what has not changed is left alone


def test_a_module_without_a_list_of_names_shows_what_it_defines(reference):
    module = types.ModuleType("toy")
    exec("from math import sin\ndef f():\n    pass\ndef _g():\n    pass\n", vars(module))
    assert reference._callables(module) == ["f"]


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("halonmf fit --bins E:8", "/reference/commands/fit"),
        ("halo.profile(fit, stars)", "/reference/halo/profile"),
        ("halo.FitSettings", "/reference/halo/types/FitSettings"),
        ("nmfcore.factorize(V, 2)", "/reference/nmfcore/factorize"),
        ("halonmf COMMAND", None),
        ("fit", None),
    ],
)
def test_names_in_code_lead_to_their_pages(code, page):
    linking = script("linking")
    named = linking.NAMED.match(code)
    assert (linking.targets().get(named.groups()) if named else None) == page


def test_the_gallery_takes_alternative_texts_from_the_report():
    alternatives = script("gallery").Alternatives()
    alternatives.feed('<img alt="logo"><figure id="fig03"><img src="x" alt="Two &lt; three"></figure>')
    assert alternatives.found == {"fig03": "Two < three"}


def test_the_gallery_has_every_figure_in_the_papers_order(tmp_path):
    gallery = script("gallery")
    texts = {name: {"caption": f"Of {name}_x.", "alt": "a [b]"} for name in ("stability", "fig03", "fig01")}
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    page = gallery.page(tmp_path)
    assert (
        page.index("## Figure 1: The sample") < page.index("## Figure 3: Two components") < page.index("## Stability")
    )
    assert r"![a \[b\]](_build/gallery/fig03.png)" in page
    assert r"Of fig03\_x." in page


def test_the_gallery_is_made_again_for_other_code(tmp_path, monkeypatch):
    gallery = script("gallery")
    made = []
    monkeypatch.setattr(gallery, "make", lambda folder: made.append(folder))
    for code in ("a", "a", "b"):
        gallery.fresh(code, tmp_path)
    assert len(made) == 2


BEGIN, END = "<!-- made -->", "<!-- made end -->"


@pytest.fixture(scope="module")
def marked():
    return script("marked")


def test_only_what_stands_between_markers_is_replaced(marked):
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    made = marked.put(page, (BEGIN, END), "new\nlines")
    assert made == page.replace("old", "new\nlines")
    assert marked.between(made, (BEGIN, END)) == "new\nlines"
    assert marked.put(made, (BEGIN, END), "old") == page


@pytest.mark.parametrize("page", ["", "{0}\n", "{1}\n{0}\n", "{0}\n{1}\n{1}", "{0}\n{0}\n{1}", "{0} {1}"])
def test_a_page_without_its_markers_is_left_alone(marked, page):
    with pytest.raises(ValueError, match=f"expected {BEGIN} once"):
        marked.put(page.format(BEGIN, END), (BEGIN, END), "new")


def test_files_are_written_and_those_out_of_date_are_named(marked, tmp_path, monkeypatch):
    old, new = tmp_path / "old.md", tmp_path / "new.md"
    old.write_text("a")
    monkeypatch.setattr("sys.argv", ["script", "--check"])
    with pytest.raises(SystemExit, match=r"out of date: old\.md, new\.md; run python docs/x\.py"):
        marked.keep("About.", "python docs/x.py", lambda: {old: "b", new: "c"})
    assert (old.read_text(), new.exists()) == ("a", False)
    monkeypatch.setattr("sys.argv", ["script"])
    marked.keep("About.", "python docs/x.py", lambda: {old: "b", new: "c"})
    assert (old.read_text(), new.read_text()) == ("b", "c")
    monkeypatch.setattr("sys.argv", ["script", "--check"])
    marked.keep("About.", "python docs/x.py", lambda: {old: "b", new: "c"})
