"""Numbered, append-only: a migration that was delivered is never edited."""
