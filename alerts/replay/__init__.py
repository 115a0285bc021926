"""Backtest: counts of the past through the code that decides live, on event time.

files -> folded (lines, in order of time) -> lay (a bucket's cells) -> run (decide) -> told
"""
