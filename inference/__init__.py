"""Engines, and what they need: models, photos, hardware."""
