"""Reports of an evaluation: HTML, JSON, tables, plots. Imports evaluation."""
