"""Where the services meet the world: each adapter fulfils one port or is one entry."""
