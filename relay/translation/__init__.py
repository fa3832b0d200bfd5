"""Texts for people in their language, of pages and of the relay's own facts: one catalogue for both. Pure."""
