"""The project's own benchmark: layerdoit beside Dockerfiles as people write them, on a copy of the project.

Everything that it makes carries one session's name, and goes at the end; the next benchmark of the project removes what
a killed one left behind.
"""
