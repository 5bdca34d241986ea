"""What every room may use: errors, processes, files, words. Knows nothing of Rust, Docker or doit."""
