"""A project: who it is, what its tree holds, and what is asked of it."""
