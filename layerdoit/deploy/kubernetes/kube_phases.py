"""The phases of a deployment to Kubernetes."""

from typing import Final

PHASES: Final = ("apply", "rollout")
APPLY, ROLLOUT = PHASES
