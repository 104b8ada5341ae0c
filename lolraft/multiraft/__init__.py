"""One node: many shards, one ledger, one detector per peer, one outbox per peer, one group commit."""
