"""Where a built image runs. Every way stands behind the small interface in `base`."""
