"""Settings for every test: one thread, so that small problems are not slowed down by handing them out; a browser."""

import os

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A real browser; skips where there is none."""
    from .halo.helpers import browser as chromium  # here, since a test copies this file alone

    if chromium.found() is None:
        pytest.skip(f"needs a browser, one of {', '.join(chromium.NAMES)}: apt-get install chromium")
    opened = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip for want of ../shared into a failure where HALONMF_REQUIRE_SHARED says that it must be there."""
    report = yield
    if report.skipped and os.environ.get("HALONMF_REQUIRE_SHARED") == "1" and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else ""
        if "shared" in reason:
            report.outcome, report.longrepr = "failed", f"HALONMF_REQUIRE_SHARED=1, but skipped: {reason}"
    return report
