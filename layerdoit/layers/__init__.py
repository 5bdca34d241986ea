"""Pure functions: facts -> keys -> plan. Nothing here reads a file, prints, or starts a process."""
