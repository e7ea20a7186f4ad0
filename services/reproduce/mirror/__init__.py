"""The experiments of seed 004 (Mirror-CFE), one a file: docs/methods/mirror-experiments.md says what each measures."""
