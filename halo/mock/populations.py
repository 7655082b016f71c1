"""The populations of the mock survey: orbits, chemistry and fractions, each with its source.

Shapes come from the literature named with them and from the survey's marginal abundance planes. Fractions and energy
scales are calibrated to D24: 33.53 % accreted, which take over at -1.67e5 km2/s2, in samples of 13,147 and 5,387 stars;
the metallicities of Splash and inner disc follow D24's components LE1 and LE2. None was found by fitting a
factorisation to the mock, but most of D24's numbers are what a factorisation found in the survey: recovering them here
tests how well the method finds what was put in, and nothing about the Milky Way (docs/mock.md).

References
----------
BHG16: Bland-Hawthorn & Gerhard (2016). BK22, BK23: Belokurov & Kravtsov (2022, 2023). B20: Belokurov et al. (2020).
D24: Davies et al., the paper that this package follows. F20: Feuillet et al. (2020). F21: Feuillet et al. (2021).
Ha15: Hawkins et al. (2015). Hay15: Hayden et al. (2015). Hay20: Hayes et al. (2020). Hs21: Hasselquist et al. (2021).
He20: Helmi (2020). Ho21: Horta et al. (2021). K19: Koppelman et al. (2019). LB25: Lane & Bovy (2025). M19: Mackereth
et al. (2019). My22: Myeong et al. (2022). R20: Rojas-Arriagada et al. (2020). V21: Vasiliev, Belokurov & Erkal (2021).
"""

from .model import Chemistry, Disc, Knots, Population, Spheroid

DISC_THINNING = 21.0
"""The default mock keeps one in so many stars of the thinned populations: 60,000 rows then hold as many halo stars as
734,000."""

# The high-[alpha/Fe] sequence, shared by thick disc and Splash: Ha15, Hay15; Splash is the heated early disc (B20).
_HIGH_ALPHA_MG: Knots = (
    (-1.1, 0.35),
    (-0.8, 0.355),
    (-0.6, 0.345),
    (-0.4, 0.31),
    (-0.2, 0.24),
    (0.0, 0.16),
    (0.2, 0.08),
    (0.4, 0.04),
)
_HIGH_ALPHA_AL: Knots = (
    (-1.1, 0.17),
    (-0.9, 0.23),
    (-0.7, 0.27),
    (-0.5, 0.27),
    (-0.3, 0.23),
    (-0.1, 0.15),
    (0.1, 0.08),
    (0.3, 0.02),
)

GSE = Population(
    "GS/E",
    "accreted",
    0.0102,  # a third of the halo selected by orbit is accreted (D24: 33.5 %), nearly all of it GS/E (My22)
    # debris sits above -1.7e5 (D24, BK23); no net spin, sigma_Lz ~ 400 and strongly radial, beta ~ 0.9 outside 8 kpc
    # (LB25)
    Spheroid(E_peak=-1.60e5, rise=0.075e5, fall=0.20e5, lz_mean=0.0, lz_sigma=450.0, l_perp_sigma=650.0),
    Chemistry(
        # F20, F21: mean -1.17, sigma 0.34; Hs21: tail up to -0.6
        fe_h=((0.0, -2.5), (0.02, -2.05), (0.1, -1.64), (0.5, -1.20), (0.9, -0.84), (0.98, -0.65), (1.0, -0.45)),
        # M19: knee near -1.3; Hs21: down to solar [Mg/Fe] at -0.6
        mg_fe=((-2.3, 0.30), (-1.8, 0.28), (-1.4, 0.23), (-1.1, 0.17), (-0.8, 0.11), (-0.5, 0.05)),
        # Ha15, Ho21, Hs21: low [Al/Fe], -0.3 to -0.15
        al_fe=((-2.3, -0.33), (-1.6, -0.26), (-1.2, -0.22), (-0.8, -0.20), (-0.5, -0.18)),
        mg_scatter=0.05,
        al_scatter=0.07,
    ),
)

AURORA = Population(
    "Aurora",
    "in-situ",
    0.0046,
    # BK22: a modest spin (v_phi ~ 50 km/s) and dispersions of 80-90 km/s (here 32, and 80, 63, 65 km/s at the Sun, less
    # since few reach it); concentrated inside the Sun's radius (BK22, Rix et al. 2022)
    Spheroid(E_peak=-2.00e5, rise=0.25e5, fall=0.070e5, lz_mean=700.0, lz_sigma=800.0, l_perp_sigma=850.0),
    Chemistry(
        # BK22: below the spin-up at [Fe/H] = -1.3 to -0.9
        fe_h=((0.0, -2.5), (0.02, -2.1), (0.1, -1.72), (0.5, -1.28), (0.9, -0.97), (1.0, -0.75)),
        mg_fe=((-2.3, 0.33), (-1.3, 0.33), (-0.9, 0.34)),  # BK22, Ha15
        # BK22, D24: [Al/Fe] climbs steeply through the spin-up, with a large scatter
        al_fe=((-2.3, -0.22), (-1.7, -0.12), (-1.4, 0.0), (-1.1, 0.15), (-0.9, 0.24), (-0.75, 0.26)),
        mg_scatter=0.06,
        al_scatter=0.13,
    ),
)

SPLASH = Population(
    "Splash",
    "in-situ",
    0.0072,
    # B20: little net rotation with a long prograde tail; orbits that a disc of the Sun's radius, heated, would have
    Spheroid(E_peak=-1.88e5, rise=0.25e5, fall=0.050e5, lz_mean=750.0, lz_sigma=650.0, l_perp_sigma=600.0),
    Chemistry(
        # B20: -0.7 < [Fe/H] < -0.2; D24: LE1 10/50/90 % at -1.29/-0.68/-0.34, Aurora included
        fe_h=((0.0, -1.1), (0.05, -0.90), (0.2, -0.72), (0.5, -0.57), (0.8, -0.42), (0.95, -0.25), (1.0, 0.0)),
        mg_fe=_HIGH_ALPHA_MG,
        al_fe=_HIGH_ALPHA_AL,
        mg_scatter=0.028,
        al_scatter=0.045,
    ),
)

# My22: -1 < [Fe/H] < -0.3, between GS/E and the disc in [Al/Fe]; D24: energies like Splash's, two branches in [Mg/Fe]
# that differ in radial action (means 582 and 413 kpc km/s), the lower one tending to the thin disc.
EOS_UPPER = Population(
    "Eos (Mg-rich)",
    "in-situ",
    0.0009,
    Spheroid(E_peak=-1.83e5, rise=0.22e5, fall=0.055e5, lz_mean=300.0, lz_sigma=500.0, l_perp_sigma=500.0),
    Chemistry(
        fe_h=((0.0, -1.05), (0.1, -0.90), (0.5, -0.72), (0.9, -0.52), (1.0, -0.30)),
        mg_fe=((-1.0, 0.19), (-0.8, 0.22), (-0.5, 0.27), (-0.3, 0.25)),
        al_fe=((-1.0, -0.14), (-0.8, -0.03), (-0.6, 0.09), (-0.4, 0.17)),
        mg_scatter=0.03,
        al_scatter=0.06,
    ),
)
EOS_LOWER = Population(
    "Eos (Mg-poor)",
    "in-situ",
    0.0009,
    Spheroid(E_peak=-1.83e5, rise=0.22e5, fall=0.055e5, lz_mean=550.0, lz_sigma=550.0, l_perp_sigma=400.0),
    Chemistry(
        fe_h=((0.0, -1.0), (0.1, -0.85), (0.5, -0.62), (0.9, -0.38), (1.0, -0.15)),
        mg_fe=((-1.0, 0.17), (-0.8, 0.15), (-0.5, 0.12), (-0.2, 0.08)),
        al_fe=((-1.0, -0.14), (-0.8, -0.05), (-0.6, 0.03), (-0.3, 0.08)),
        mg_scatter=0.03,
        al_scatter=0.06,
    ),
)

INNER_DISC = Population(
    "inner disc and bar",
    "in-situ",
    0.0111,
    # D24: LE2, only inside (r, z, R) = (4, 2, 4) kpc; BHG16: dispersion 110-120 km/s and cylindrical rotation in the
    # inner 2 kpc
    Spheroid(E_peak=-2.70e5, rise=0.5e5, fall=0.085e5, lz_mean=150.0, lz_sigma=230.0, l_perp_sigma=130.0),
    Chemistry(
        # R20: peaks at +0.32, -0.17, -0.66 in APOGEE's bulge fields; D24: LE2 10/50/90 % at -0.88/-0.08/0.46
        fe_h=(
            (0.0, -1.3),
            (0.03, -1.0),
            (0.1, -0.75),
            (0.3, -0.38),
            (0.5, -0.06),
            (0.7, 0.20),
            (0.9, 0.41),
            (1.0, 0.60),
        ),
        mg_fe=(
            (-1.1, 0.36),
            (-0.6, 0.35),
            (-0.3, 0.28),
            (0.0, 0.17),
            (0.2, 0.10),
            (0.5, 0.04),
        ),  # R20, Hs21 (inner galaxy)
        al_fe=((-1.1, 0.12), (-0.7, 0.24), (-0.4, 0.24), (-0.1, 0.15), (0.1, 0.08), (0.3, 0.03), (0.5, 0.02)),
        mg_scatter=0.03,
        al_scatter=0.06,
    ),
)

THAMNOS = Population(
    "Thamnos",
    "accreted",
    0.0004,
    # K19, He20: retrograde, Lz from -1500 to -200, E from -1.8e5 to -1.6e5, eccentricity ~ 0.5
    Spheroid(E_peak=-1.72e5, rise=0.05e5, fall=0.03e5, lz_mean=-900.0, lz_sigma=250.0, l_perp_sigma=350.0),
    Chemistry(
        fe_h=((0.0, -2.5), (0.1, -1.9), (0.5, -1.45), (0.9, -1.1), (1.0, -0.8)),  # K19, He20
        mg_fe=((-2.3, 0.34), (-1.5, 0.31), (-1.0, 0.24)),  # K19, He20: more alpha than GS/E
        al_fe=((-2.3, -0.30), (-1.5, -0.18), (-1.0, -0.10)),
        mg_scatter=0.05,
        al_scatter=0.08,
    ),
)

SAGITTARIUS = Population(
    "Sagittarius",
    "accreted",
    0.0004,
    # V21: polar stream of high energy, total angular momentum ~ 4500 and Lz of 0 to 2000 kpc km/s at its pericentre
    Spheroid(
        E_peak=-0.90e5, rise=0.05e5, fall=0.05e5, lz_mean=900.0, lz_sigma=450.0, l_perp_mean=4000.0, l_perp_sigma=600.0
    ),
    Chemistry(
        fe_h=((0.0, -2.2), (0.1, -1.45), (0.5, -0.98), (0.9, -0.55), (1.0, -0.2)),  # Hay20 (stream)
        mg_fe=((-2.0, 0.28), (-1.4, 0.20), (-1.0, 0.07), (-0.6, 0.0), (-0.2, -0.04)),  # Hs21
        al_fe=((-2.0, -0.35), (-1.4, -0.30), (-0.8, -0.33), (-0.2, -0.40)),  # Hs21
        mg_scatter=0.04,
        al_scatter=0.07,
    ),
)

THICK_DISC = Population(
    "thick disc",
    "in-situ",
    0.21,
    Disc(scale_length=2.0, sigma_R=45.0, sigma_z=35.0, sigma_length=12.0),  # BHG16
    Chemistry(
        fe_h=((0.0, -1.2), (0.02, -0.90), (0.1, -0.72), (0.5, -0.42), (0.9, -0.10), (1.0, 0.25)),  # Hay15
        mg_fe=_HIGH_ALPHA_MG,
        al_fe=_HIGH_ALPHA_AL,
        mg_scatter=0.028,
        al_scatter=0.045,
    ),
    dwarfs=0.35,
    thinned=True,
)

THIN_DISC = Population(
    "thin disc",
    "in-situ",
    0.7543,
    Disc(scale_length=2.6, sigma_R=32.0, sigma_z=18.0, sigma_length=10.0),  # BHG16
    Chemistry(
        fe_h=((0.0, -0.85), (0.02, -0.52), (0.1, -0.34), (0.5, -0.06), (0.9, 0.19), (0.98, 0.33), (1.0, 0.45)),  # Hay15
        mg_fe=((-0.7, 0.15), (-0.5, 0.125), (-0.3, 0.085), (-0.1, 0.045), (0.1, 0.03), (0.4, 0.04)),  # Hay15
        al_fe=((-0.7, 0.15), (-0.5, 0.16), (-0.3, 0.12), (-0.1, 0.07), (0.1, 0.03), (0.4, 0.0)),  # Ha15
        mg_scatter=0.034,
        al_scatter=0.05,
        gradient=-0.05,  # Hay15
    ),
    dwarfs=0.35,
    thinned=True,
)

POPULATIONS: tuple[Population, ...] = (
    GSE, AURORA, SPLASH, EOS_UPPER, EOS_LOWER, INNER_DISC, THAMNOS, SAGITTARIUS, THICK_DISC, THIN_DISC,
)  # fmt: skip
"""Every population, in the order of the codes in the truth table."""
