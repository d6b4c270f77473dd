"""One file that holds the whole installation: written while it works, checked, and put back."""
