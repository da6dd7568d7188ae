"""Evaluate stored predictions: baselines, the evidence for the report, and the published pages."""
