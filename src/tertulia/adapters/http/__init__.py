"""HTTP: the REST API, the client scripts, the playground, the documents and the health checks."""
