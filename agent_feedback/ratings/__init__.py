"""What a rating is after a change: pure decisions."""
