"""Calibration of a classifier, and outliers among images: arrays in, numbers out."""
