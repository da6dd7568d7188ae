"""Compiled arithmetic of embedding, recurrent and dense layers, on NumPy arrays. Knows no Keras."""
