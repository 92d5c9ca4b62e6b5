"""Results that have pixels: captures, parametric maps, segmentations."""
