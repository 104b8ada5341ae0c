"""Work for a cluster, and a judgement of its answers."""
