"""The answers: reference standards, behind the wall."""
