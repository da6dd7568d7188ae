"""From the predictions in the store to the published pages: evidence, baselines, pages."""
