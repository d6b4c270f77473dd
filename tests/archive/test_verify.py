"""The archive can be verified: a changed byte names its image."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from portal.archive import packs
from portal.archive.models import Instance, Series
from portal.archive.verify import damaged
from tests.archive.test_import import ct, take

pytestmark = pytest.mark.django_db


def test_an_untouched_archive_is_sound(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    out = StringIO()
    call_command("archive_verify", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"checked": 4, "damaged": [], "headers": []}


def test_a_changed_byte_names_its_image(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    instance = Instance.objects.order_by("rank")[2]
    pack = packs.folder_of(Series.objects.get().folder) / packs.NATIVE
    data = bytearray(pack.read_bytes())
    data[instance.native_frames[0][0] + 5] ^= 1
    pack.write_bytes(bytes(data))
    assert damaged().uids == (instance.uid,)
    with pytest.raises(SystemExit):
        call_command("archive_verify", stdout=StringIO())
