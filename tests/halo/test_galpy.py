import os
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u

from halonmf.halo import orbits

KM_S = u.km / u.s


def test_import_writes_no_settings_and_asks_no_network(tmp_path):
    code = (
        "import socket, subprocess\n"
        "run = subprocess.run\n"
        "def refuse(*_, **__): raise RuntimeError('the network was asked')\n"
        "socket.socket.connect = refuse\n"
        "subprocess.run = lambda args, **options: refuse() if 'pip' in args else run(args, **options)\n"
        "import halonmf.halo.galpy_backend\n"
    )
    home = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=home, cwd=tmp_path, check=True)
    assert not (tmp_path / ".galpyrc").exists()


@pytest.mark.slow
def test_builtin_action_finder_agrees_with_galpys():
    rng = np.random.default_rng(2)
    position, velocity = rng.normal(0, 5, (300, 3)) * u.kpc, rng.normal(0, 110, (300, 3)) * KM_S
    position[3], velocity[5], position[7, :2], velocity[9, 0] = np.nan * u.kpc, np.inf * KM_S, 0 * u.kpc, 900 * KM_S
    theirs = orbits.kinematics(position, velocity, backend="galpy")
    ours = orbits.kinematics(position, velocity, backend="builtin")
    for name in ours.colnames:
        np.testing.assert_array_equal(np.isfinite(ours[name]), np.isfinite(theirs[name]), err_msg=name)
    total = (ours["J_r"] + ours["J_z"] + np.abs(ours["J_phi"])).value
    assert np.nanmedian(np.abs(ours["J_z"] - theirs["J_z"]).value / total) < 0.001
    assert np.nanmedian(np.abs(ours["J_r"] - theirs["J_r"]).value / total) < 0.01  # galpy takes U(u) in the plane
    assert np.sqrt(np.nanmean((ours["ecc"] - theirs["ecc"]).value ** 2)) < 0.06
