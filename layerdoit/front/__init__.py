"""The two front doors: tasks for a dodo.py, and the doit command `layers`."""
