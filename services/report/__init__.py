"""The report of a study and everything that leaves the workspace with it: written by the worker, kept in the store."""
