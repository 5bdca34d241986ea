"""Deploy to a Docker engine: one container, replaced only by a healthy one."""
