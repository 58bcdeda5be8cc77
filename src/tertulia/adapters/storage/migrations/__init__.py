"""How the tables came to be, one migration a file, run by Alembic when the program starts."""
