"""The project's own benchmark: layerdoit beside Dockerfiles as people write them, on a copy of the project.

Everything that it makes carries one session's name and is removed at the end; what a killed benchmark leaves behind is
removed by the next one of the project.
"""
