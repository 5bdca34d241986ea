"""Property tests judge what is true, not how fast a loaded machine makes examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("layerdoit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("layerdoit")
