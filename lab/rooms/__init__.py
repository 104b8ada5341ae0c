"""Rooms to play in: short trials on a simulated cluster, each with a task and a clear end."""
