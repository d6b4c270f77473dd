"""The source view on Postgres: sent and had back as it was, found by its own values, fenced from blind requests."""

import json

import pydicom
import pytest

from tests.archive.builders import change, slices
from tests.archive.dicomweb.test_source_view import KEYS, spoken
from tests.server.test_archive_writers import place, script, template
from tests.server.test_server_profile import postgres

pytestmark = pytest.mark.server
__all__ = ["place", "postgres", "template"]
ASK = """
    import io, json, sys
    from pathlib import Path
    import pydicom
    from django.conf import settings
    from django.db import DatabaseError, connection, transaction
    from django.test import Client
    from portal.archive.ingest import import_paths
    from portal.archive.models import Exam
    from portal.fence.blind import blinded
    from tests.cohort import make_study, make_user
    settings.ALLOWED_HOSTS = ["testserver"]
    make_study(is_synthetic=True)
    folder, keys = Path(sys.argv[1]), json.loads(sys.argv[2])
    import_paths([folder], door="command", actor=None, study_key="bone", expects_synthetic=True)
    one = Client()
    one.force_login(make_user("coordinator"))
    found = {key: one.get(f"/dicomweb/studies?{key}").status_code for key in keys}
    for level in ("series", "instances"):
        found[level] = len(one.get(f"/dicomweb/{level}?PatientName=zz*&SeriesNumber=?").json())
    base = "/dicomweb/studies/2.25.700/series/2.25.71/instances/2.25.71.2"
    file = b"".join(one.get(base, headers={"accept": "application/dicom"}))
    found["file"] = str(pydicom.dcmread(io.BytesIO(file)))
    found["metadata"] = len(one.get("/dicomweb/studies/2.25.700/metadata").json())
    found["refused"] = []
    for table in ("truth_identity", "truth_source_series", "truth_source_uid"):
        try:
            with transaction.atomic(), blinded():
                connection.cursor().execute(f"SELECT count(*) FROM {table}")
        except DatabaseError as error:
            found["refused"].append(error.__cause__.sqlstate)
    reader = Client()
    reader.force_login(make_user("expert1"))
    found["reader"] = reader.get(base).status_code
    Exam.objects.update(has_source=False)
    found["beside"] = len(one.get("/dicomweb/studies").json())
    print(json.dumps(found))
"""


def test_what_was_sent_is_found_and_had_back_and_nobody_else_reads_it(place, tmp_path):
    paths = slices(tmp_path / "ct", n=3)
    for path in paths:
        change(path, spoken)
    wanted = dict(KEYS)
    wanted.pop("ModalitiesInStudy=NM")
    found = json.loads(script(ASK, str(tmp_path / "ct"), json.dumps(list(wanted)), **place))
    assert {key: found[key] for key in wanted} == {k: 200 if n else 204 for k, n in wanted.items()}
    assert (found["series"], found["instances"], found["metadata"]) == (1, 3, 3)
    sent = pydicom.dcmread(paths[1])
    # without the file's own group 0002, of which ours says less
    assert found["file"].rpartition("---\n")[2] == str(sent).rpartition("---\n")[2]
    assert found["refused"] == ["42501"] * 3
    assert (found["reader"], found["beside"]) == (403, 1)
