"""The papers' tables and figures, made again with the shipped models: one file each."""
