"""Every fault we can cause, on real processes, against what people were promised."""
