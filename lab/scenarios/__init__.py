"""Stories of clusters that are told on any backend: what is done, and what must come of it."""
