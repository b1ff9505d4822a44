"""How answers look for each kind of agent: one module per kind, behind the same methods."""
