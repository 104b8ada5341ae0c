"""The panels: each paints its lines from a `Scene`, and asks, never acts."""
