import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u

from halonmf.halo.errors import UsageError
from halonmf.halo.orbits import kinematics as orbits
from halonmf.halo.survey.prepare import PrepareSettings, prepare

KM_S = u.km / u.s
installed = pytest.mark.skipif(importlib.util.find_spec("galpy") is None, reason="galpy, an extra, is not installed")


@pytest.fixture
def without_galpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "galpy", None)
    monkeypatch.delitem(sys.modules, "halonmf.halo.orbits.galpy_backend", raising=False)


def test_galpy_that_is_not_there_is_wrong_usage_and_names_the_extra(without_galpy):
    with pytest.raises(UsageError, match=r"'galpy' is not installed .*halonmf\[galpy\].*builtin"):
        orbits.kinematics(np.ones((1, 3)) * u.kpc, np.ones((1, 3)) * KM_S, backend="galpy")
    assert orbits.kinematics(np.ones((1, 3)) * u.kpc, np.ones((1, 3)) * KM_S).meta["backend"] in ("agama", "builtin")


def test_an_absent_backend_is_told_before_the_survey_is_read(without_galpy, tmp_path):
    nowhere = tmp_path / "nowhere.fits"
    with pytest.raises(UsageError, match="'galpy' is not installed"):
        prepare(nowhere, nowhere, settings=PrepareSettings(potential_backend="galpy"))


@installed
def test_only_galpys_own_settings_are_replaced_and_only_while_it_is_imported(tmp_path):
    (tmp_path / "other.cfg").write_text("[a]\nb = 1\n")
    (tmp_path / ".galpyrc").write_text("[version-check]\ndo-check = True\n")
    code = (
        "import configparser, importlib.abc, sys\n"
        "class Probe(importlib.abc.MetaPathFinder):\n"
        "    seen = None\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'galpy.util.config':\n"
        "            parser = configparser.ConfigParser()\n"
        "            Probe.seen = parser.read('other.cfg'), parser['a']['b']\n"
        "before = configparser.ConfigParser.read\n"
        "sys.meta_path.insert(0, Probe())\n"
        "import halonmf.halo.orbits.galpy_backend\n"
        "assert Probe.seen == (['other.cfg'], '1'), Probe.seen\n"
        "assert configparser.ConfigParser.read is before\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / ".galpyrc").read_text() == "[version-check]\ndo-check = True\n"


@installed
def test_import_writes_no_settings_and_asks_no_network(tmp_path):
    code = (
        "import socket, subprocess\n"
        "run = subprocess.run\n"
        "def refuse(*_, **__): raise RuntimeError('the network was asked')\n"
        "socket.socket.connect = refuse\n"
        "subprocess.run = lambda args, **options: refuse() if 'pip' in args else run(args, **options)\n"
        "import halonmf.halo.orbits.galpy_backend\n"
    )
    home = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=home, cwd=tmp_path, check=True)
    assert not (tmp_path / ".galpyrc").exists()


@installed
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
