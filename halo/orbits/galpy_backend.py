"""Actions and turning points by galpy's Staeckel code (Bovy 2015); this is the only import of galpy.

It is an independent check. galpy's own McMillan (2017) has rounded parameters, so the model is expanded anew, which
takes seconds in every process (measured in docs/orbits.md). Its J_r differs by 0.3 % of the sum
of the actions in the median, since it takes U(u) in the plane rather than at the star's v. Energies come from the
table, as do integrated orbits, and the few stars on which galpy's root finding fails are taken from `staeckel`.
"""

import configparser
import sys
import warnings
from functools import cache
from typing import Any

import numpy as np

from . import builtin_backend, focal, integrate, mcmillan17
from .staeckel import Extent

__all__ = ["extent", "potential"]

_SETTINGS = """
[normalization]
ro = 8.
vo = 220.
[astropy]
astropy-units = False
astropy-coords = True
[plot]
seaborn-bovy-defaults = False
[warnings]
verbose = False
[version-check]
do-check = False
check-non-interactive = False
check-non-interactive-every = 1
last-non-interactive-check = 2000-01-01
"""


def _import_quietly() -> None:
    """Import galpy, but keep it from writing ~/.galpyrc and from looking for a newer version on the network.

    It does both while it is imported, unless a file .galpyrc in the working directory or the home forbids it: there is
    no other way to its settings before they take effect, and this package writes into neither place. So for the
    length of the import a file of that name, and of no other, reads as these settings.
    """
    if "galpy" in sys.modules:
        return
    original = configparser.ConfigParser.read

    def read(self: configparser.ConfigParser, filenames: Any, encoding: str | None = None) -> list[str]:
        if not str(filenames).endswith(".galpyrc"):
            return original(self, filenames, encoding)
        self.read_string(_SETTINGS)
        return [str(filenames)]

    configparser.ConfigParser.read = read  # type: ignore[method-assign, assignment]
    try:
        from galpy.util import _load_extension_libs
    finally:
        configparser.ConfigParser.read = original  # type: ignore[method-assign]
    if sys.platform != "darwin":
        # a trial for a clash of OpenMP libraries on macOS, made in a child that would read no settings but its own
        _load_extension_libs._checked_openmp_issue = True


_import_quietly()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of optional parts that are not installed
    from galpy.actionAngle import actionAngleStaeckel
    from galpy.potential import DiskMultipoleExpansionPotential, NFWPotential

potential = builtin_backend.potential


@cache
def _action_finder() -> actionAngleStaeckel:
    """Return galpy's action finder in McMillan (2017), in units of kpc, km/s and (km/s)^2 kpc / G."""
    model, G = mcmillan17.MCMILLAN17, mcmillan17.G

    def density(R: np.ndarray, z: np.ndarray) -> np.ndarray:
        R = np.maximum(R, 1e-12)
        discs = sum(disc.surface_density(R)[0] * disc.layer(z)[0] for disc in model.discs)
        return G * (discs + model.bulge.density(R, z))

    unity = {"ro": 1.0, "vo": 1.0}
    discs = DiskMultipoleExpansionPotential(
        dens=density,
        Sigma=[{"type": "exp", "h": d.Rd, "amp": G * d.Sigma0, "Rhole": d.Rm} for d in model.discs],
        hz=[{"type": "sech2" if d.sech2 else "exp", "h": d.zd} for d in model.discs],
        L=14,
        rgrid=np.geomspace(5e-3, 300.0, 201),
        costheta_order=64,
        **unity,
    )
    mass = 4.0 * np.pi * G * model.halo.rho0 * model.halo.rs**3
    halo = NFWPotential(amp=mass, a=model.halo.rs, **unity)
    return actionAngleStaeckel(pot=discs + halo, delta=1.0, c=True, order=20, **unity)


def extent(x: np.ndarray, v: np.ndarray, eccentricity: str) -> Extent:
    """Return actions and extent of bound orbits off the axis; kpc and km/s, shapes (N, 3)."""
    fudge = builtin_backend.extent(x, v, "staeckel")
    R = np.hypot(x[:, 0], x[:, 1])
    v_R = (x[:, 0] * v[:, 0] + x[:, 1] * v[:, 1]) / R
    v_phi = (x[:, 1] * v[:, 0] - x[:, 0] * v[:, 1]) / R
    E = potential(x) + 0.5 * (v**2).sum(axis=1)
    star = (R, v_R, v_phi, x[:, 2], v[:, 2])
    options = {"delta": focal.focal_length()(E, R * v_phi), "c": True, "use_physical": False}
    finder = _action_finder()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what fails is found below
        J_r, _, J_z = finder(*star, **options)
        ecc, z_max, r_peri, r_apo = finder.EccZmaxRperiRap(*star, **options)
    found = np.stack([J_r, J_z, r_peri, r_apo, z_max])
    good = np.isfinite(found).all(axis=0) & (found >= 0.0).all(axis=0) & (r_peri <= r_apo) & np.isfinite(ecc)
    good &= (J_r < 9999.0) | (fudge.J_r > 9000.0)  # galpy's mark for an unbound orbit is 9999.99
    spare = np.stack([fudge.J_r, fudge.J_z, fudge.r_peri, fudge.r_apo, fudge.z_max])
    J_r, J_z, r_peri, r_apo, z_max = np.where(good, found, spare)
    if eccentricity == "orbit":
        r_peri, r_apo, z_max = integrate.orbit_extent(mcmillan17.table(), x, v)
    return Extent(J_r, J_z, r_peri, r_apo, z_max)
