"""What a report says: its values, and how they are made of what was counted."""
