"""Who and what of a study, without the answer."""
