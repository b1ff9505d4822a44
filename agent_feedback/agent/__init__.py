"""The agent's side: handlers wrapped, turns captured, answers completed."""
