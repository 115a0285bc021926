"""List hygiene: recipients that are absent time and again, by keyed hash."""
