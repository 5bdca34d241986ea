"""What may be wrong with engine, host, project and Dockerfiles: pure checks over facts, each gathered once."""
