"""Facts from the user's tree, without Docker."""
