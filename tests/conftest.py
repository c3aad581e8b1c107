"""Settings for all tests: one thread; properties derandomised, or many more of them with `COTERIE_PROPERTIES=deep`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=50, suppress_health_check=SLOW)
settings.register_profile("deep", deadline=None, max_examples=3000, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("COTERIE_PROPERTIES", "quick"))
