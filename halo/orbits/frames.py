"""Sky coordinates to the Galactocentric frame and back.

The frame is astropy's Galactocentric "v4.0": right-handed, the Sun at (-8.122, 0, 0.0208) kpc moving with
(12.9, 245.6, 7.78) km/s. Its parameters are taken from astropy by name, so that astropy's global default does not
matter. The transformation from ICRS is affine: astropy gives it once, and a survey then costs two matrix products.
Nothing here needs Earth orientation data, so nothing is downloaded.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy import units
from astropy.coordinates import (
    ICRS,
    CartesianDifferential,
    CartesianRepresentation,
    Galactocentric,
    galactocentric_frame_defaults,
)

from ..errors import InputError, UsageError

__all__ = ["SUN_POSITION", "SUN_VELOCITY", "SkyPhase", "galactocentric_frame", "to_galactocentric", "to_heliocentric"]

SUN_POSITION = (-np.sqrt(8.122**2 - 0.0208**2), 0.0, 0.0208)  # kpc
SUN_VELOCITY = (12.9, 245.6, 7.78)  # km/s

_KMS_PER_KPC_MASYR = (1.0 * units.kpc * units.mas / units.yr).to_value(units.km / units.s, units.dimensionless_angles())
_FARTHEST = 500.0  # kpc; a survey whose median distance is beyond this was given in pc


@dataclass(frozen=True)
class SkyPhase:
    """Stars as seen from the Sun.

    Attributes
    ----------
    ra, dec : Quantity, deg, shape (N,)
        ICRS position, ra in [0, 360).
    distance : Quantity, kpc, shape (N,)
        Heliocentric distance.
    pmra, pmdec : Quantity, mas / yr, shape (N,)
        Proper motion; pmra includes cos(dec).
    radial_velocity : Quantity, km / s, shape (N,)
        Heliocentric (barycentric) radial velocity.
    """

    ra: units.Quantity
    dec: units.Quantity
    distance: units.Quantity
    pmra: units.Quantity
    pmdec: units.Quantity
    radial_velocity: units.Quantity


@cache
def galactocentric_frame() -> Galactocentric:
    """Return the astropy frame "v4.0", whatever astropy's global default is."""
    return Galactocentric(**galactocentric_frame_defaults.get_from_registry("v4.0")["parameters"])


@cache
def _affine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rotation (3, 3), shift in kpc (3,) and velocity shift in km/s (3,): x = rotation @ x_icrs + shift."""
    points = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    rest = CartesianDifferential(np.zeros((3, 4)) * (units.km / units.s))
    icrs = ICRS(CartesianRepresentation(points.T * units.kpc, differentials=rest))
    images = icrs.transform_to(galactocentric_frame())
    x = images.cartesian.xyz.to_value(units.kpc).T
    return (x[1:] - x[0]).T, x[0], images.velocity.d_xyz.to_value(units.km / units.s)[:, 0]


def to_galactocentric(
    ra: units.Quantity,
    dec: units.Quantity,
    distance: units.Quantity,
    pmra: units.Quantity,
    pmdec: units.Quantity,
    radial_velocity: units.Quantity,
) -> tuple[units.Quantity, units.Quantity]:
    """Transform observed stars to Galactocentric positions and velocities.

    Parameters
    ----------
    ra, dec : Quantity, angle, shape (N,)
        ICRS position.
    distance : Quantity, length, shape (N,)
        Heliocentric distance.
    pmra, pmdec : Quantity, angle / time, shape (N,)
        Proper motion; pmra includes cos(dec).
    radial_velocity : Quantity, speed, shape (N,)
        Heliocentric radial velocity.

    Returns
    -------
    position : Quantity, kpc, shape (N, 3)
    velocity : Quantity, km / s, shape (N, 3)
        A missing (NaN or masked) distance makes the whole row NaN, a missing motion the velocity.

    Raises
    ------
    UsageError
        An argument without units, with units of another kind, or of another length.
    InputError
        Distances that are zero or negative, or so large that they must be parsecs.

    Notes
    -----
    Agrees with astropy's own transformation (Astropy Collaboration 2022) to 1e-9.
    """
    columns = [
        _values("ra", ra, units.rad),
        _values("dec", dec, units.rad),
        _values("distance", distance, units.kpc),
        _values("pmra", pmra, units.mas / units.yr),
        _values("pmdec", pmdec, units.mas / units.yr),
        _values("radial_velocity", radial_velocity, units.km / units.s),
    ]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise UsageError(f"ra, dec, distance, pmra, pmdec and radial_velocity must have one length; got {lengths}")
    alpha, delta, d, mu_alpha, mu_delta, v_r = columns
    _check_distances(d)

    rotation, shift, velocity_shift = _affine()
    basis = _sky_basis(alpha, delta)
    position = (d * basis[0]).T @ rotation.T + shift
    d_k = d * _KMS_PER_KPC_MASYR
    velocity = v_r * basis[0] + d_k * mu_alpha * basis[1] + d_k * mu_delta * basis[2]
    return position * units.kpc, (velocity.T @ rotation.T + velocity_shift) * (units.km / units.s)


def to_heliocentric(position: units.Quantity, velocity: units.Quantity) -> SkyPhase:
    """Return how stars at these Galactocentric positions and velocities are observed from the Sun.

    Parameters
    ----------
    position : Quantity, length, shape (N, 3)
    velocity : Quantity, speed, shape (N, 3)

    Returns
    -------
    SkyPhase
        NaN rows stay NaN.

    Raises
    ------
    UsageError
        An argument without units, with units of another kind, or not of shape (N, 3).
    """
    rotation, shift, velocity_shift = _affine()
    x, v = phase_space(position, velocity)
    x = (x - shift) @ rotation
    v = (v - velocity_shift) @ rotation
    d = np.sqrt((x**2).sum(axis=1))
    alpha = np.mod(np.arctan2(x[:, 1], x[:, 0]), 2.0 * np.pi)
    delta = np.arctan2(x[:, 2], np.hypot(x[:, 0], x[:, 1]))
    basis = _sky_basis(alpha, delta)
    v_r, v_alpha, v_delta = np.einsum("aci,ic->ai", basis, v)
    with np.errstate(divide="ignore", invalid="ignore"):  # a star at the Sun has no proper motion
        per_year = 1.0 / (d * _KMS_PER_KPC_MASYR)
        mu_alpha, mu_delta = v_alpha * per_year, v_delta * per_year
    mas_yr = units.mas / units.yr
    return SkyPhase(
        ra=np.rad2deg(alpha) * units.deg,
        dec=np.rad2deg(delta) * units.deg,
        distance=d * units.kpc,
        pmra=mu_alpha * mas_yr,
        pmdec=mu_delta * mas_yr,
        radial_velocity=v_r * (units.km / units.s),
    )


def phase_space(position: units.Quantity, velocity: units.Quantity) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in kpc and velocities in km/s as float arrays (N, 3), after the checks (UsageError)."""
    x = lengths("position", position)
    v = _vectors("velocity", velocity, units.km / units.s)
    if len(x) != len(v):
        raise UsageError(f"position and velocity must have one length; got {len(x)} and {len(v)}")
    return x, v


def lengths(name: str, position: units.Quantity) -> np.ndarray:
    """Return positions in kpc as a float array (N, 3), after the checks (UsageError)."""
    return _vectors(name, position, units.kpc)


def _vectors(name: str, quantity: units.Quantity, unit: units.Unit) -> np.ndarray:
    values = _values(name, quantity, unit, ndim=2)
    if values.shape[1] != 3:
        raise UsageError(f"{name} must have shape (N, 3); got {values.shape}")
    return values


def _sky_basis(alpha: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Return unit vectors towards the star, east and north, shape (3, 3, N): vector, component, star."""
    sin_a, cos_a, sin_d, cos_d = np.sin(alpha), np.cos(alpha), np.sin(delta), np.cos(delta)
    zero = np.zeros_like(alpha)
    return np.stack(
        [
            np.stack([cos_d * cos_a, cos_d * sin_a, sin_d]),
            np.stack([-sin_a, cos_a, zero]),
            np.stack([-sin_d * cos_a, -sin_d * sin_a, cos_d]),
        ]
    )


def _values(name: str, quantity: units.Quantity, unit: units.Unit, ndim: int = 1) -> np.ndarray:
    """Return plain native floats in `unit`, NaN where masked."""
    mask = getattr(quantity, "mask", None)
    if getattr(quantity, "unit", None) is None:
        raise UsageError(
            f"{name} must be a Quantity in units such as {unit}; got {type(quantity).__name__} without unit"
        )
    bare = getattr(quantity, "unmasked", quantity)
    try:
        values = units.Quantity(np.ma.getdata(bare), quantity.unit).to_value(unit)
    except units.UnitConversionError:
        raise UsageError(f"{name} must be in units such as {unit}; got {quantity.unit}") from None
    values = np.array(values, dtype=np.float64, ndmin=ndim)
    if values.ndim != ndim:
        raise UsageError(f"{name} must have {ndim} dimension(s); got shape {values.shape}")
    if mask is not None:
        values[np.broadcast_to(mask, values.shape)] = np.nan
    return values


def _check_distances(d: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        bad = d <= 0
    if bad.any():
        raise InputError(
            f"distance must be positive; {bad.sum()} of {len(d)} are not (first {d[bad][0]:g} kpc at row "
            f"{bad.argmax()}). Mask missing distances (NaN) first."
        )
    finite = d[np.isfinite(d)]
    if len(finite) and np.median(finite) > _FARTHEST:
        raise InputError(
            f"distance has a median of {np.median(finite):g} kpc; the Milky Way ends before {_FARTHEST:g} kpc. "
            "Give parsecs as a Quantity in pc."
        )
