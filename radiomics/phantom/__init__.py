"""A synthetic cohort of bone SPECT/CT patients: it tests the software and is no medical evidence."""

GENERATOR_VERSION = "1.0.0"
