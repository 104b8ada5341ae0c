"""Where a node's entries, ballots and facts are kept: SQLite, or memory that can lose and tear."""
