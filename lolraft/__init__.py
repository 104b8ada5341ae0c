"""Multi-Raft for Python: many Raft groups share one process, one disk writer and one stream per peer."""
