"""Turns closed windows into flags, incidents, pages and reviews."""
