"""Blind reading studies: protocol, schedules, decoding, agreement, simulated readers.

Pure functions on plain data.
"""
