"""The inputs of each layer, from which its key is made."""
