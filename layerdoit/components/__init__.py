"""What a chain of layers is made of: each component turns a plan's step into a build."""
