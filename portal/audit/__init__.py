"""Memory: the append-only trail and signatures."""
