"""Who: users, tokens and sign-in."""
