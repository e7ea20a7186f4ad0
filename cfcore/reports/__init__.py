"""Tables, figures and the self-contained report made from a study's results."""
