"""Work named by its path: a process imports what a job needs when it does one, not when it starts."""

from typing import Any

from django.utils.module_loading import import_string


class Later:
    """A function that is imported when it is first called, or made `ready` before."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, *arguments: Any) -> Any:
        return self.ready()(*arguments)

    def ready(self) -> Any:
        """The function itself. Raises ImportError where the path names none."""
        return import_string(self.path)
