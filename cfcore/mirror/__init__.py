"""Mirror-CFE in feature space (seed 004, METHODS 5): where the counterfactual of an image lies, before it is drawn.

Pure mathematics on the features z = F(x), the linear head (W, b) and the maps A whose mean over places is z; no
networks. Formulae and their sources are in docs/methods/mirror.md. `names` imports no torch.
"""
