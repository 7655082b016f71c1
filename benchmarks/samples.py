"""The samples that benchmarks of the engine are measured on: a paper-like one of its own, and the default mock's."""

from functools import cache

from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mock.expected import expected
from halonmf.halo.replicates.replicate import Stars, begin
from halonmf.halo.replicates.setup import Setup
from nmfcore import bench

ROWS = 60_000


@cache
def mock_base(k=2, loss="frobenius"):
    """The base fit of the mock's chemically pure stars, with so many components."""
    table = Stars(expected(ROWS, seed=1, oversample=1))
    return begin(table, Setup(FitSettings.of(device="cpu", components=k, loss=loss)))


def mock():
    """The mock's chemically pure stars in the default bins and images, as the engine takes them."""
    mixtures = mock_base().fit.mixtures
    return bench.Stars(mixtures.rows, mixtures.columns, mixtures.V.shape)


SAMPLES = {"paper-like": bench.mock_stars, "mock": mock}
