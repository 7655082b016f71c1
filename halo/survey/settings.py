"""How a survey's catalogues are prepared; plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ..errors import UsageError
from ..fields import Option
from ..orbits.settings import BACKENDS, ECCENTRICITIES, POTENTIALS
from ..stars.settings import DEFAULT_ELEMENTS, Cuts
from ..units import LENGTH, convert

if TYPE_CHECKING:
    from .quality import QualityCuts

DEFAULT_COLUMNS = ("TEFF", "SNR", "M_H", "ALPHA_M")
"""Columns of allStar that are carried along where the file has them."""
SURVEYS = ("apogee-dr17", "mwm-dr19", "galah-dr4", "galah-dr3")
"""Surveys whose files are known by name: each is a file of ``halo/survey/facts``."""
ALL_FLAGS, NO_FLAGS = "all", "none"
CLUSTERS = ("report", "remove", "ignore")
DEFAULT_PROBABILITY = 0.8
"""Probability of cluster membership at which stars are removed."""


@dataclass(frozen=True)
class PrepareSettings:
    """Thresholds and choices of `prepare`.

    Attributes
    ----------
    elements : tuple of str
        Abundances that must be measured well, ``FE_H`` or ``X_FE``.
    max_error : float
        Upper limit of abundance errors, dex, exclusive.
    max_logg : float
        Upper limit of log g, exclusive.
    max_distance : float or Quantity
        Upper limit of the heliocentric distance, kpc, exclusive.
    member_probability : float
        Cluster members at or above it are removed.
    clusters : str
        Stars in the place and with the motion of a globular cluster that are left: ``report`` warns of them,
        ``remove`` takes them out, ``ignore`` does not look; see `stars.clusters`.
    flags : str
        ``all``, ``none``, or the bits of the flags of abundances that count, as numbers or names with commas between;
        True and False are ``all`` and ``none``. With ``none`` APOGEE DR17's ASPCAPFLAG does not count either.
    missing : str
        ``drop`` leaves out the stars that lack one of the abundances; ``keep`` keeps those with [Fe/H] and one more.
    columns : tuple of str
        Further columns of allStar to carry along where present.
    cuts : tuple of str
        Conditions to keep, such as ``"SNR>70"``, applied last.
    potential_backend : str
        ``auto``, ``agama``, ``builtin`` or ``galpy``, as `orbits.kinematics` takes it.
    eccentricity : str
        ``staeckel`` or ``orbit``.
    potential : str
        ``mcmillan17``, or ``mwpotential2014`` with the builtin backend; never to be mixed.
    recompute : bool
        Compute orbits even where a mapping names E and Lz.
    """

    elements: Annotated[tuple[str, ...], "Abundance to use; repeatable. FE_H, AL_FE, MG_FE.", Option("--element")] = (
        DEFAULT_ELEMENTS
    )
    max_error: Annotated[float, "Largest abundance error [dex]."] = 0.2
    max_logg: Annotated[float, "Largest log g."] = 3.0
    max_distance: Annotated[float, "Largest distance from the Sun [kpc]."] = 10.0
    member_probability: Annotated[float, "Members at or above it are removed."] = DEFAULT_PROBABILITY
    clusters: Annotated[
        str, "Stars in place and motion of a globular cluster: warn, remove, or do not look.", Option(choices=CLUSTERS)
    ] = CLUSTERS[0]
    flags: Annotated[str, "Flags that count: all, none, or bits of the abundances' flags, such as 0,GRIDEDGE_WARN."] = (
        ALL_FLAGS
    )
    missing: Annotated[
        str,
        "Stars that lack abundances: drop, or keep those with [Fe/H] and one more.",
        Option(choices=("drop", "keep")),
    ] = "drop"
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    cuts: Cuts = ()
    potential_backend: Annotated[str, "auto is AGAMA where installed, else builtin.", Option(choices=BACKENDS)] = "auto"
    eccentricity: Annotated[str, "Staeckel estimate, or integrated orbits (slow).", Option(choices=ECCENTRICITIES)] = (
        "staeckel"
    )
    potential: Annotated[
        str, "Potential of the orbits; another one is of the builtin backend.", Option(choices=POTENTIALS)
    ] = POTENTIALS[0]
    recompute: Annotated[bool, "Compute orbits even where your catalogue has E and Lz."] = False

    def __post_init__(self) -> None:
        from ..stars.cuts import user_cuts  # needs numpy, which the help of commands does without

        convert(self, max_distance=LENGTH)
        if isinstance(self.flags, bool):  # as it was before bits could be chosen
            object.__setattr__(self, "flags", ALL_FLAGS if self.flags else NO_FLAGS)
        _ = self.quality
        user_cuts(self.cuts)  # a misspelt condition is to fail now, not after the orbits
        if not 0 <= self.member_probability <= 1:
            raise UsageError(f"member_probability must lie between 0 and 1, got {self.member_probability}.")
        if self.clusters not in CLUSTERS:
            raise UsageError(f"clusters must be one of {', '.join(CLUSTERS)}; got {self.clusters!r}.")

    @property
    def quality(self) -> QualityCuts:
        """The thresholds of the quality cuts."""
        from .quality import QualityCuts

        return QualityCuts(
            self.elements, self.max_error, self.max_logg, self.max_distance, self.flags != NO_FLAGS, self.missing
        )
