"""Backend `sim`: the node machines of production under virtual time, in the lab's own process."""
