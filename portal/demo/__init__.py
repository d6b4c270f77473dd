"""The synthetic study, built through the doors of a real one."""
