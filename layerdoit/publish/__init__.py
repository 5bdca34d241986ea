"""What people get from a registry: which tags and platforms, whether it runs there, and the documents beside it."""
