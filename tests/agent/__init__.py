"""The agent's side: wrapped handlers, captured turns, completed answers."""
