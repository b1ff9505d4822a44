"""Every form of a report is read by something."""
