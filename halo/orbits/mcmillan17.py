"""The gravitational potential of McMillan (2017), solved once and tabulated.

The discs follow Kuijken & Dubinski (1995) as popularised by Dehnen & Binney (1998): the potential is an analytic part,
4 pi G sum_i Sigma_i(r) H_i(z) with H_i'' = h_i, plus the multipoles of the density that this part leaves over, which is
no longer thin and converges fast. The bulge joins the multipoles, the NFW halo is analytic. The sum is tabulated as a
bicubic spline in (asinh(R / s), asinh(z / s)), fine enough for the gas layers and reaching far beyond any bound star.

Arrays here are plain floats in kpc, km/s and (km/s)^2; units are checked in `orbits`.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy import constants, units
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.special import eval_legendre, expit

__all__ = ["MCMILLAN17", "Bulge", "Disc", "G", "Halo", "Model", "Table", "solve", "table"]

G = float(constants.G.to_value(units.kpc * (units.km / units.s) ** 2 / units.Msun))


@dataclass(frozen=True)
class Disc:
    """A disc Sigma0 exp(-Rm / R - R / Rd) times an exponential or sech^2 layer of unit column; Msun and kpc."""

    Sigma0: float
    Rd: float
    zd: float
    Rm: float = 0.0
    sech2: bool = False

    def surface_density(self, R: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return Sigma and its first and second derivatives, Msun / kpc2 per kpc per kpc."""
        S = self.Sigma0 * np.exp(-self.Rm / R - R / self.Rd)
        slope = self.Rm / R**2 - 1.0 / self.Rd
        return S, S * slope, S * (slope**2 - 2.0 * self.Rm / R**3)

    def layer(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return h (1 / kpc), and H, H' with H'' = h and H(0) = H'(0) = 0."""
        x = np.abs(z) / self.zd
        if self.sech2:
            p = expit(x)  # sech^2(x / 2) = 4 p (1 - p), without overflow
            H = self.zd * (0.5 * x + np.log1p(np.exp(-x)) - np.log(2.0))
            return p * (1.0 - p) / self.zd, H, np.sign(z) * (p - 0.5)
        decay = np.exp(-x)
        return 0.5 * decay / self.zd, 0.5 * self.zd * (decay - 1.0 + x), -0.5 * np.sign(z) * np.expm1(-x)


@dataclass(frozen=True)
class Bulge:
    """A flattened bulge rho0 (1 + m / r0)^-1.8 exp(-(m / rcut)^2), m^2 = R^2 + (z / q)^2; Msun and kpc."""

    rho0: float
    r0: float
    rcut: float
    q: float
    alpha: float

    def density(self, R: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the density, Msun / kpc3."""
        m = np.hypot(R, z / self.q)
        return self.rho0 * (1.0 + m / self.r0) ** -self.alpha * np.exp(-((m / self.rcut) ** 2))


@dataclass(frozen=True)
class Halo:
    """A halo of Navarro, Frenk & White (1996); Msun and kpc."""

    rho0: float
    rs: float

    def potential(self, r: np.ndarray) -> np.ndarray:
        """Return the potential, (km/s)^2."""
        x = np.maximum(r / self.rs, 1e-12)
        return -4.0 * np.pi * G * self.rho0 * self.rs**2 * np.log1p(x) / x


@dataclass(frozen=True)
class Model:
    """A galaxy: discs, bulge and halo."""

    discs: tuple[Disc, ...]
    bulge: Bulge
    halo: Halo


# his best-fitting model (his Table 3, equations 1-5), in the unrounded values of the model he distributes
MCMILLAN17 = Model(
    discs=(
        Disc(8.95679e8, 2.49955, 0.3),
        Disc(1.83444e8, 3.02134, 0.9),
        Disc(5.31319e7, 7.0, 0.085, Rm=4.0, sech2=True),
        Disc(2.17995e9, 1.5, 0.045, Rm=12.0, sech2=True),
    ),
    bulge=Bulge(9.8351e10, 0.075, 2.1, 0.5, 1.8),
    halo=Halo(8.53702e6, 19.5725),
)

_L_MAX = 32
_RADII = np.geomspace(1e-4, 300.0, 361)  # all but the halo ends long before 300 kpc


def _left_over_density(model: Model, r: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return what the bulge and the discs hold beyond the analytic part's own density, Msun / kpc3."""
    R = np.sqrt(np.maximum(r**2 - z**2, 1e-24))
    rho = model.bulge.density(R, z)
    for disc in model.discs:
        S, dS, d2S = disc.surface_density(r)
        h, H, dH = disc.layer(z)
        rho += (disc.surface_density(R)[0] - S) * h - d2S * H - 2.0 / r * dS * (H + z * dH)
    return rho


def _multipoles(model: Model) -> CubicSpline:
    """Return coefficients of the even Legendre polynomials against ln r, (km/s)^2, by quadrature on every shell."""
    mu, weight_mu = leggauss(256)
    mu, weight_mu = mu[mu > 0], weight_mu[mu > 0]
    node, weight = leggauss(4)
    s = np.log(_RADII)
    half = 0.5 * np.diff(s)
    a = np.exp(0.5 * (s[:-1] + s[1:])[:, None] + half[:, None] * node)  # (shells, nodes)
    rho = _left_over_density(model, a[..., None], a[..., None] * mu)
    columns = []
    for degree in range(0, _L_MAX + 1, 2):
        P = eval_legendre(degree, mu)
        rho_l = (2 * degree + 1) * (rho * (P * weight_mu)).sum(axis=-1)
        # integrals of a^(l+2) and a^(1-l) over each shell, scaled by its outer or inner radius so that none overflows
        inside = (weight * rho_l * a**3 * (a / _RADII[1:, None]) ** degree).sum(axis=1) * half / _RADII[1:]
        outside = (weight * rho_l * a**2 * (_RADII[:-1, None] / a) ** degree).sum(axis=1) * half
        inner = np.zeros(len(_RADII))
        outer = np.zeros(len(_RADII))
        inner[0] = rho_l[0, 0] * _RADII[0] ** 2 / (degree + 3) if degree == 0 else 0.0
        ratio = _RADII[:-1] / _RADII[1:]
        for i in range(len(ratio)):
            inner[i + 1] = inner[i] * ratio[i] ** (degree + 1) + inside[i]
        for i in range(len(ratio) - 1, -1, -1):
            outer[i] = outer[i + 1] * ratio[i] ** degree + outside[i]
        columns.append(-4.0 * np.pi * G / (2 * degree + 1) * (inner + outer))
    return CubicSpline(s, np.stack(columns, axis=1))


def solve(R: np.ndarray, z: np.ndarray, model: Model = MCMILLAN17) -> np.ndarray:
    """Return the potential from the expansion itself, (km/s)^2; R, z in kpc. Slow: `table` is for everyday use."""
    return _solve(model, _multipoles(model), np.asarray(R, dtype=float), np.asarray(z, dtype=float))


def _solve(model: Model, multipoles: CubicSpline, R: np.ndarray, z: np.ndarray) -> np.ndarray:
    r = np.maximum(np.hypot(R, z), 1e-8)
    mu = z / r
    coefficients = multipoles(np.log(np.clip(r, _RADII[0], _RADII[-1])))
    fall = np.minimum(1.0, _RADII[-1] / r)
    phi = model.halo.potential(r)
    previous, P = np.zeros_like(mu), np.ones_like(mu)
    for degree in range(_L_MAX + 1):
        if degree % 2 == 0:
            phi += coefficients[..., degree // 2] * P * fall ** (degree + 1)
        previous, P = P, ((2 * degree + 1) * mu * P - degree * previous) / (degree + 1)
    for disc in model.discs:
        phi += 4.0 * np.pi * G * disc.surface_density(r)[0] * disc.layer(z)[1]
    return phi


@dataclass(frozen=True)
class Table:
    """A bicubic spline of the potential in (asinh(R / s), asinh(z / s)); values and derivatives in kpc, km/s.

    Attributes
    ----------
    spline : RectBivariateSpline
        Potential, (km/s)^2, over the two stretched coordinates.
    """

    spline: RectBivariateSpline

    def potential(self, R: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the potential, (km/s)^2, to 0.01 (km/s)^2 of `solve` beyond 0.1 kpc; R, z in kpc."""
        return self.spline.ev(np.arcsinh(R / _STRETCH), np.arcsinh(np.abs(z) / _STRETCH))

    def gradient(self, R: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives with R and with z, (km/s)^2 / kpc."""
        u, w = np.arcsinh(R / _STRETCH), np.arcsinh(np.abs(z) / _STRETCH)
        dR = self.spline.ev(u, w, dx=1) / np.hypot(R, _STRETCH)
        return dR, np.sign(z) * self.spline.ev(u, w, dy=1) / np.hypot(z, _STRETCH)


_STRETCH = 0.05  # kpc, near the thinnest layer's scale height
_REACH = 1e7  # kpc: stars of E < -1 (km/s)^2 turn round within it


@cache
def table() -> Table:
    """Return the potential as a table, made on first use in half a second and kept."""
    multipoles = _multipoles(MCMILLAN17)
    u = np.linspace(0.0, np.arcsinh(_REACH / _STRETCH), 401)
    x = _STRETCH * np.sinh(u)
    phi = np.stack([_solve(MCMILLAN17, multipoles, np.full_like(x, R), x) for R in x])
    return Table(RectBivariateSpline(u, u, phi, s=0))
