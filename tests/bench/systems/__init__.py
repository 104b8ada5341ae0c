"""The systems that are measured: how three nodes of each are started, asked and broken."""
