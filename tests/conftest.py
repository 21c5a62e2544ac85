"""How examples are drawn in all tests: without a time limit, since a busy machine is no defect.

With HYPOTHESIS_PROFILE=quick few examples, always the same: for `make mutants`, which runs the tests hundreds of times.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None)
settings.register_profile(
    "quick", deadline=None, max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
