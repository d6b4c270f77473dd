"""An app of jobs that misbehave, for the tests of a real worker."""
