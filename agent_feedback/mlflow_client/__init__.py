"""Clients for MLflow: bounded calls to its store, and what they read of its insides."""
