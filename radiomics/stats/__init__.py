"""Statistics of a reader study: one module per question."""
