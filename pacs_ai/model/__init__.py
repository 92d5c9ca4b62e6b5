"""Models as bundles on disk: load, preprocess, predict, explain. Without TensorFlow."""
