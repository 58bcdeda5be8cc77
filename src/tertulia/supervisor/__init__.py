"""The small parent of router and control: starts, watches, restarts and drains them. Standard library only."""
