"""A client for machines, written from proto/SIGNING.md. Sections named in comments are of that page."""
