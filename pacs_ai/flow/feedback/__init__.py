"""What people say about results: enter it, compare it with the models, hand it to the training."""
