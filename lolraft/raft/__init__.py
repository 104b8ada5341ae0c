"""One replica of one shard: the Raft algorithm as a pure function of state, time and event."""
