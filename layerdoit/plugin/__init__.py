"""Front door 2: the doit command `layers`."""
