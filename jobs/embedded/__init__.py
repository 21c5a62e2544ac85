"""The embedded default: a broker process and a chDB store behind the same protocols as the real ones."""
