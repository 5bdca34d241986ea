"""What this project's caches hold, and how to clear exactly them."""
