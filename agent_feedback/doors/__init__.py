"""The two doors to MLflow: the active trace, and the stored ones with their assessments."""
