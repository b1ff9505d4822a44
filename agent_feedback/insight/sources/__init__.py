"""Where traces and assessments are counted."""
