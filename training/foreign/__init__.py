"""Import of networks that were trained elsewhere: ONNX or Keras in, a bundle out."""
