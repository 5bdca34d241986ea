"""Facts of a Cargo workspace, and how cargo is called. No cargo is needed on the host."""
