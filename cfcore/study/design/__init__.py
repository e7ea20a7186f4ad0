"""How a study is laid out: arms, controls, the gate, and who reads what in which order."""
