"""Dockerfiles: read, analyse, and complete them for a build. One reader for build, doctor and init. And nginx.conf."""
