"""Who is asking: headers and tokens become people."""
