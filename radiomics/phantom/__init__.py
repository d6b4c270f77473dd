"""Synthetic SPECT/CT cohort: plan, images, outlines and simulated people, all from one seed.

Lesion texture is recipe noise and the readers are a formula: figures computed on it test the software, they are not
medical evidence.
"""

GENERATOR_VERSION = "2"
