"""Training, fine-tuning and hyperparameter search, and the parts that they share."""
