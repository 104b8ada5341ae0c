"""One node: many shards, one ledger, a detector and an outbox per peer, one group commit."""
