"""What `./dev` and `./log` need before anything is installed: standard library only."""
