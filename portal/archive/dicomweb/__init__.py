"""DICOMweb over a view: every function takes the images that its caller may see, and nothing else."""
