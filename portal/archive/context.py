"""What is the same for all files of an import."""

from dataclasses import dataclass

from portal.accounts.models import User


@dataclass(frozen=True)
class Context:
    """Key of the UIDs, study or shelf, importer, and what kind of images the study takes."""

    key: bytes
    study_key: str
    actor: User | None
    expects_synthetic: bool | None
    keeps_subject: bool
