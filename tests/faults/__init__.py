"""Every fault we can cause, on real processes, against what users were promised."""
