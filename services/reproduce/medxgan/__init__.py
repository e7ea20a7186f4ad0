"""The experiments of seed 001 (medXGAN), one a file: docs/methods/medxgan-experiments.md says what each measures."""
