"""Which pixels speak for a class: Grad-CAM, Integrated Gradients, latent Integrated Gradients, and how to check them.

docs/methods/attribution.md gives every formula with its source.
"""
