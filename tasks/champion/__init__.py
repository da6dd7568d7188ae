"""Champions: describe a model, score it on other reviews, decide whether it is used, and keep the log of that."""
