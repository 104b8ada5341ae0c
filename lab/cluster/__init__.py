"""Clusters that the lab starts and breaks: one interface, a backend each."""
