"""What the engine refuses is told in the words of this package's options."""

import pytest

from halonmf.halo.errors import UsageError
from halonmf.halo.fits.fit import fit
from halonmf.halo.mixtures.settings import Axis

from ..helpers.planted import SMALL, planted


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"axes": (Axis("E", 2), Axis("Lz", 2)), "components": 5, "init": "nndsvd"}, "Use --init random"),
        ({"loss": "itakura-saito"}, "--loss kullback-leibler"),
    ],
)
def test_a_refusal_names_the_command_line_s_options(settings, option):
    with pytest.raises(UsageError, match=option) as refused:
        fit(planted(600)[0], SMALL.replace(**settings))
    assert "init='" not in str(refused.value)
    assert "weight 0" not in str(refused.value)
