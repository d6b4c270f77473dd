"""Arrays in, numbers out: regions, texture features, models and statistics of an imaging study."""
