"""The operations on feedback, and the rules they follow."""
