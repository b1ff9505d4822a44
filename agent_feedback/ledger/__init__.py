"""What was asked and what was rated, durable before anybody is told so."""
