"""The command line: starting a server, and administering one from a shell."""
