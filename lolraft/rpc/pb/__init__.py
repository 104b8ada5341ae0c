"""Generated from `proto/` by `./dev proto`; a test keeps it equal."""
