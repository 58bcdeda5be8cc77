"""Pure decisions: the session state machine and everything it knows of roles, permissions and reasons."""
