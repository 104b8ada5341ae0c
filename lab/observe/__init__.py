"""What is seen of a cluster: plain values, and a pure fold of events into them."""
