"""Settings for every test: one thread, so that small problems are not slowed down by handing them out."""

import os

import pytest
import torch

torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip for want of ../shared into a failure where HALONMF_REQUIRE_SHARED says that it must be there."""
    report = yield
    if report.skipped and os.environ.get("HALONMF_REQUIRE_SHARED") == "1" and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else ""
        if "shared" in reason:
            report.outcome, report.longrepr = "failed", f"HALONMF_REQUIRE_SHARED=1, but skipped: {reason}"
    return report
