"""The terminal screen: everything drawn is a function of a frozen `ClusterView`."""
