"""What is left of a run: a value folded from what happened, as a page and as Markdown."""
