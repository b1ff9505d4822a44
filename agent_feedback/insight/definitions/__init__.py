"""What counts: windows, classes, values, and the sums that every source fills."""
