"""Figures of a classifier and their intervals: arrays in, numbers out. Only numpy is needed."""
