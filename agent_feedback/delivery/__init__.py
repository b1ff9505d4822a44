"""Makes MLflow hold what the ledger says."""
