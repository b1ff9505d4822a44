"""What people rated, on its way out again: into files and reports."""
