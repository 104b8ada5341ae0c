"""The pictures of README.md and lab/README.md, and the script that takes them."""
