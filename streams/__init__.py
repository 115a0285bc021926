"""Turns provider records into exact counts: decode, fold, window."""
