"""Dockerfiles: read, analysed, and completed for a build. One reader for build, doctor and init."""
