"""DICOM in, pixels out."""
