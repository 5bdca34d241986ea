"""What a project's tree already tells, and the files that `doit layers init` writes."""
