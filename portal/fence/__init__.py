"""The database's own refusals: triggers and blind connections."""
