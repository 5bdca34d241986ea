"""The user's files, of any language: which there are, what they contain, and an exact copy of them."""
