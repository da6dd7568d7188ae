"""Turn texts into tokens: normalise, take apart, look up in a vocabulary."""
