"""What the archive asks a study about images that come late."""

from portal.archive.shelving import ask_while_writing
from portal.study.late import closed

ask_while_writing(closed)
