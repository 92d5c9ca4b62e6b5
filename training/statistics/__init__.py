"""Figures of a classifier, their intervals, calibration and outliers: arrays in, numbers out."""
