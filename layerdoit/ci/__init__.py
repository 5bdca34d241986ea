"""Workflows of CI services, written from the configuration: facts -> documents -> texts, and how those are kept."""
