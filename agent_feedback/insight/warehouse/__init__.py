"""The same counts by SQL, in Databricks: over the views of traces in Unity Catalog."""
