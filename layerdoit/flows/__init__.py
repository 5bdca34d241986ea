"""What a user's command does from beginning to end. Only here build, deploy and cache meet."""
