"""Images on Postgres: importers at the same time, and an upload inside a request's one transaction."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tests.archive.builders import person, slices
from tests.server.databases import new_database
from tests.server.test_server_profile import ROOT, postgres, run

pytestmark = pytest.mark.server
__all__ = ["postgres"]
LOOK = """
    import json
    from portal.archive.models import Instance, Series
    from portal.archive.pixels import volume
    series = Series.objects.get()
    values = volume(series).pixels[:, 0, 0].tolist()
    print(json.dumps([Instance.objects.count(), series.state, values]))
"""
COORDINATOR = """
    from tests.cohort import make_study
    make_study()
    print("made")
"""
UPLOAD = """
    import sys
    from pathlib import Path
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.conf import settings
    from django.test import Client
    from portal.archive.models import Exam
    from tests.cohort import make_study, make_user
    settings.ALLOWED_HOSTS = ["testserver"]
    make_study(is_synthetic=True)
    one = Client()
    one.force_login(make_user("coordinator"))
    files = [SimpleUploadedFile(p.name, p.read_bytes()) for p in sorted(Path(sys.argv[1]).iterdir())]
    answer = one.post("/studies/bone/import/upload/", {"files": files}, follow=True)
    print(answer.status_code, "4 ready" in answer.content.decode(), Exam.objects.get().study_key)
"""


def script(text: str, *args: str, **variables: str) -> str:
    start = "import django; django.setup()\n"
    variables["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    done = run(["-c", start + textwrap.dedent(text), *args], **variables)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def template(postgres, tmp_path_factory) -> Iterator[str]:
    """The name of a migrated database, which every test begins with a copy of."""
    with new_database(postgres) as address:
        variables = {
            "OSTEON_DATABASE_URL": address,
            "OSTEON_DATA_DIR": str(tmp_path_factory.mktemp("template")),
        }
        assert (
            run(
                ["manage.py", "migrate", "--skip-checks", "--verbosity", "0"], **variables
            ).returncode
            == 0
        )
        yield address.rsplit("/", 1)[1]


@pytest.fixture
def place(postgres, template, tmp_path) -> Iterator[dict[str, str]]:
    with new_database(postgres, template=template) as address:
        yield {"OSTEON_DATABASE_URL": address, "OSTEON_DATA_DIR": str(tmp_path / "data")}


def test_importers_of_one_series_at_the_same_time_cut_off_nothing(place, tmp_path):
    folders = [tmp_path / str(k) for k in range(4)]
    for k, folder in enumerate(folders):
        slices(folder, n=30, first=30 * k)
    script(COORDINATOR, **place)
    importers = [
        subprocess.Popen(
            [sys.executable, "manage.py", "import_dicom", str(folder), "--user", "coordinator"],
            cwd=ROOT, env={**os.environ, **place}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for folder in folders
    ]  # fmt: skip
    said = [one.communicate(timeout=300)[0].decode() for one in importers]
    assert [one.returncode for one in importers] == [0] * 4, said
    assert json.loads(script(LOOK, **place)) == [120, "ready", [10.0 * k for k in range(120)]]
    verified = run(["manage.py", "archive_verify", "--json"], **place)
    assert json.loads(verified.stdout) == {"checked": 120, "damaged": [], "headers": []}


def test_an_upload_commits_beside_the_transaction_of_its_request(place, tmp_path):
    slices(tmp_path / "in")
    assert script(UPLOAD, str(tmp_path / "in"), **place) == "200 True bone"


STOW = """
    import json, sys
    from pathlib import Path
    from django.conf import settings
    from django.test import Client
    from portal.archive.models import Identity, Instance, Series
    from portal.archive.verify import damaged
    from tests.cohort import make_study, make_user
    settings.ALLOWED_HOSTS = ["testserver"]
    make_study(is_synthetic=True)
    one = Client()
    one.force_login(make_user("coordinator"))
    parts = [p.read_bytes() for p in sorted(Path(sys.argv[1]).rglob("*.dcm"))]
    head = b"--b\\r\\nContent-Type: application/dicom\\r\\n\\r\\n"
    body = b"".join(head + p + b"\\r\\n" for p in parts) + b"--b--\\r\\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    sent = [one.post("/dicomweb/studies?study=bone", body, content_type=kind).status_code for _ in range(2)]
    pages = [one.get(f"/dicomweb/studies?limit=1&offset={k}") for k in range(4)]
    rows = [row["0020000D"]["Value"][0] for page in pages if page.status_code == 200 for row in page.json()]
    order = list(Identity.objects.order_by("-study_date", "source_uid").values_list("source_uid", flat=True))
    left = [page.get("Warning", "") for page in pages]
    states = sorted(Series.objects.values_list("state", flat=True))
    print(json.dumps([sent, rows == order, ["1 add" in w for w in left], Instance.objects.count(), states, damaged().uids == ()]))
"""


def test_images_are_sent_and_found_by_dicomweb(place, tmp_path):
    for k in range(3):
        who = person(f"SYN000{k}", f"2.25.70{k}")
        slices(tmp_path / "in" / str(k), n=4, who=who, series=f"2.25.71{k}")
    found = json.loads(script(STOW, str(tmp_path / "in"), **place))
    left = [False, True, False, False]
    assert found == [[200, 200], True, left, 12, ["ready"] * 3, True]
