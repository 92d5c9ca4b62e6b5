"""Models as bundles on disk: load, preprocess, predict, explain. No TensorFlow in here."""
