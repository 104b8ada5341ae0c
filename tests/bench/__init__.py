"""Our cluster and its peers, measured side by side: `./dev bench`, see `__main__`."""
