"""Where outputs may not go."""

import pytest

from halonmf.halo.errors import OutputError
from halonmf.halo.io.atomic import check_output

from .test_help import run


@pytest.fixture
def survey(tmp_path):
    result = run("mock", tmp_path / "mock", "--stars", 3000, "--seed", 1, "-q")
    assert result.exit_code == 0, result.output
    return next(tmp_path.glob("mock/allStar*")), next(tmp_path.glob("mock/apogee_astroNN*"))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("linked", [False, True])
def test_prepare_never_overwrites_its_inputs(survey, tmp_path, which, linked):
    target = survey[which]
    before = target.read_bytes()
    output = target
    if linked:
        output = tmp_path / "link.fits"
        output.symlink_to(target)
    result = run("prepare", *survey, "-o", output, "--overwrite", "-q")
    assert result.exit_code == 5
    assert "is also an input, which is never overwritten" in result.output
    assert target.read_bytes() == before


def test_other_files_are_overwritten_where_that_is_allowed(tmp_path):
    output, source = tmp_path / "a.fits", tmp_path / "b.fits"
    output.touch()
    source.touch()
    check_output(output, overwrite=True, inputs=(source, None, tmp_path / "absent"))


def test_a_write_protected_file_is_never_overwritten_not_even_by_root(tmp_path):
    output = tmp_path / "a.fits"
    output.touch(mode=0o444)
    with pytest.raises(OutputError, match="is write-protected"):
        check_output(output, overwrite=True)
