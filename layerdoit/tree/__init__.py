"""The user's files, of any language: list them, hash them, and stage an exact copy."""
