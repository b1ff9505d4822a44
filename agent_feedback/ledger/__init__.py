"""What was asked and what was rated, durable before a request is answered."""
