"""The agent's side: wrapped handlers, recorded turns, answers with ids."""
