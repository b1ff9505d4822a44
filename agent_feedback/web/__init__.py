"""The feedback routes."""
