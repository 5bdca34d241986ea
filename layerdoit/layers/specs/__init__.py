"""What each layer is made of, as the inputs that key it."""
