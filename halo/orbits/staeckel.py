"""Actions and orbital extent by the Staeckel fudge of Binney (2012).

Around each star the potential is treated as one that separates in prolate spheroidal coordinates (u, v) of focal length
Delta: R = Delta sinh u sin v, z = Delta cosh u cos v. Then p_u depends on u alone and p_v on v alone, the roots of p_u
and p_v bound the orbit and the actions are integrals between them. Both are taken here in x = ln sinh u and
w = artanh cos v, in which the centrifugal walls of nearly radial orbits have unit width.

Arrays are plain floats in kpc and km/s, one entry per star.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss

from .potentials import Potential

__all__ = ["Extent", "staeckel"]

_NODES_R, _NODES_Z = 24, 32
_FIRST_STEP, _STEPS = 0.01, 11  # brackets reach 20 e-folds from the star, where an orbit of Lz = 0 is cut off
_ITERATIONS, _TOLERANCE = 40, 1e-9


@dataclass(frozen=True)
class Extent:
    """Actions (kpc km/s) and turning points (kpc) of orbits, each of shape (N,)."""

    J_r: np.ndarray
    J_z: np.ndarray
    r_peri: np.ndarray
    r_apo: np.ndarray
    z_max: np.ndarray


def staeckel(
    potential: Potential,
    R: np.ndarray,
    z: np.ndarray,
    v_R: np.ndarray,
    v_phi: np.ndarray,
    v_z: np.ndarray,
    Delta: np.ndarray,
) -> Extent:
    """Return actions and extent of bound orbits; every star must have R > 0, E < 0 and finite entries.

    Parameters
    ----------
    potential : Potential
        An axisymmetric potential, symmetric about z = 0.
    R, z : ndarray, kpc, shape (N,)
    v_R, v_phi, v_z : ndarray, km / s, shape (N,)
    Delta : ndarray, kpc, shape (N,)
        Focal length for each star, positive.
    """
    z, v_z = np.abs(z), np.where(z < 0, -v_z, v_z)
    uv = np.arccosh((z + 1j * R) / Delta)
    x0 = np.log(np.sinh(uv.real))
    w0 = np.arcsinh(1.0 / np.tan(uv.imag))
    phi0 = potential.potential(R, z)
    E = phi0 + 0.5 * (v_R**2 + v_phi**2 + v_z**2)
    L2 = 0.5 * (R * v_phi / Delta) ** 2
    sinh2, sin2 = np.exp(2.0 * x0), 1.0 / np.cosh(w0) ** 2
    here = (sinh2 + sin2) * phi0
    sin_v, cos_v, sinh_u, cosh_u = np.sqrt(sin2), np.tanh(w0), np.exp(x0), np.sqrt(1.0 + sinh2)
    T_u = 0.5 * (v_R * cosh_u * sin_v + v_z * sinh_u * cos_v) ** 2  # p_u^2 / (2 Delta^2) at the star
    T_v = 0.5 * (v_R * sinh_u * cos_v - v_z * cosh_u * sin_v) ** 2

    def square_u(x: np.ndarray, k: np.ndarray) -> np.ndarray:
        s = np.exp(2.0 * x)
        phi = potential.potential(Delta[k] * np.exp(x) * sin_v[k], Delta[k] * np.sqrt(1.0 + s) * cos_v[k])
        gain = T_u[k] + E[k] * (s - sinh2[k]) - ((s + sin2[k]) * phi - here[k])
        return gain - L2[k] * (1.0 / s - 1.0 / sinh2[k])

    def square_v(w: np.ndarray, k: np.ndarray) -> np.ndarray:
        s = 1.0 / np.cosh(w) ** 2
        phi = potential.potential(Delta[k] * sinh_u[k] * np.sqrt(s), Delta[k] * cosh_u[k] * np.tanh(w))
        gain = T_v[k] + E[k] * (s - sin2[k]) - ((sinh2[k] + s) * phi - here[k])
        return gain - L2[k] * (1.0 / s - 1.0 / sin2[k])

    x_min = turning_point(square_u, x0, -1.0)
    x_max = turning_point(square_u, x0, +1.0)
    w_max = turning_point(square_v, w0, +1.0)

    # the square-root ends become smooth in theta, where the midpoint rule converges exponentially; across the plane the
    # thin disc leaves almost a cusp, which Gauss-Legendre nodes crowd towards
    J_r = np.zeros_like(R)
    everyone = np.arange(len(R))
    middle, half = 0.5 * (x_max + x_min), 0.5 * (x_max - x_min)
    for theta in (np.arange(_NODES_R) + 0.5) * (np.pi / _NODES_R):
        x = middle - half * np.cos(theta)
        du = half * np.sin(theta) / np.sqrt(1.0 + np.exp(-2.0 * x))
        J_r += np.sqrt(np.maximum(square_u(x, everyone), 0.0)) * du
    J_z = np.zeros_like(R)
    for node, weight in zip(*leggauss(_NODES_Z), strict=True):
        theta = 0.25 * np.pi * (node + 1.0)
        w = w_max * np.sin(theta)
        dv = weight * w_max * np.cos(theta) / np.cosh(w)
        J_z += np.sqrt(np.maximum(square_v(w, everyone), 0.0)) * dv
    J_r *= np.sqrt(2.0) * Delta / _NODES_R
    J_z *= np.sqrt(0.5) * Delta

    cos2 = np.tanh(w_max) ** 2
    return Extent(
        J_r=J_r,
        J_z=J_z,
        r_peri=Delta * np.exp(x_min),
        r_apo=Delta * np.sqrt(np.exp(2.0 * x_max) + cos2),
        z_max=Delta * np.sqrt((1.0 + np.exp(2.0 * x_max)) * cos2),
    )


def turning_point(
    square: Callable[[np.ndarray, np.ndarray], np.ndarray], start: np.ndarray, direction: float
) -> np.ndarray:
    """Return the first root of `square` from `start` on; shape (N,).

    Parameters
    ----------
    square : callable
        square(x, k) is the squared momentum of the stars of index k at x, not negative at `start`.
    start : ndarray, shape (N,)
    direction : float
        +1 or -1.

    Notes
    -----
    The method of Anderson & Bjorck (1973) on square(x) / cosh(x)^2, which is bounded at both ends of the axis.
    """

    def scaled(x: np.ndarray, k: np.ndarray) -> np.ndarray:
        return square(x, k) / np.cosh(x) ** 2

    k = np.arange(len(start))
    inside, outside = start.copy(), np.full_like(start, np.nan)
    f_in, f_out = scaled(start, k), np.full_like(start, np.nan)
    for j in range(_STEPS):
        x = start[k] + direction * _FIRST_STEP * (2.0 ** (j + 1) - 1.0)
        f = scaled(x, k)
        beyond = ~(f >= 0.0)
        outside[k[beyond]], f_out[k[beyond]] = x[beyond], f[beyond]
        inside[k[~beyond]], f_in[k[~beyond]] = x[~beyond], f[~beyond]
        k = k[~beyond]
        if not len(k):
            break
    root = inside.copy()  # without a wall (Lz = 0) the orbit goes on to the end of the search
    k = np.flatnonzero(np.isfinite(f_out) & (f_in > 0.0))
    a, b, fa, fb = outside[k], inside[k], f_out[k], f_in[k]  # b is the latest, a the one across the root
    for _ in range(_ITERATIONS):
        c = b - fb * (b - a) / (fb - fa)
        fc = scaled(c, k)
        crossed = (fc < 0.0) != (fb < 0.0)
        damping = 1.0 - fc / fb
        a, fa = np.where(crossed, b, a), np.where(crossed, fb, fa * np.where(damping > 0.0, damping, 0.5))
        going = (np.abs(c - b) > _TOLERANCE) & (fc != 0.0)
        root[k] = c
        k, a, b, fa, fb = k[going], a[going], c[going], fa[going], fc[going]
        if not len(k):
            break
    return root
