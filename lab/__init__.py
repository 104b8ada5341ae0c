"""The terminal lab: a real cluster, watched and broken from one screen."""
