"""The bridge: a trained student becomes ONNX graphs, proven equal, in a bundle that the service reads."""
