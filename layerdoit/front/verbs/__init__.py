"""The verbs of `doit layers`: one module per verb, named as the user types it."""
