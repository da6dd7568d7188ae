"""One training, in a process of its own. Only this folder imports Keras or TensorFlow."""
