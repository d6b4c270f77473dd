"""Where pixels, reads and truth meet."""
