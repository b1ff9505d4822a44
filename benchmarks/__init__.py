"""What the plugin costs, measured beside the same agent without it."""
