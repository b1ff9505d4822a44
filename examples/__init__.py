"""Programs that show the package at work; none of them ships with it."""
