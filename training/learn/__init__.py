"""Find the weights: training, fine-tuning, tuning of settings, and what they share."""
