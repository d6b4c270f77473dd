"""The browser's import: begun once, batches that may come twice, an end; and the plain form beside it."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, encode_multipart

from portal.archive import packs
from portal.archive.models import Exam, Import, ImportFile, Instance
from portal.audit.models import AuditEvent
from tests.archive.builders import person, slices
from tests.cohort import make_member, make_study
from tests.study.builders import carry_to
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
IMPORTS = "/api/v1/studies/bone/imports/"


def a_study(code: str = "bone", **more):
    return make_study(code, is_synthetic=True, **more)


def begin(client: Client) -> str:
    response = client.post(IMPORTS)
    assert response.status_code == 201, response.content
    return str(response.json()["code"])


def as_sent(paths: list[Path]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(p.name, p.read_bytes()) for p in paths]


def put(client: Client, code: str, batch: int, files: list[SimpleUploadedFile], **more):
    body = {"files": files, **more}
    content, boundary = encoded(body)
    return client.put(
        f"{IMPORTS}{code}/batches/{batch}/", content, content_type=f"multipart/form-data; boundary={boundary}"
    )  # fmt: skip


def encoded(body: dict[str, object]) -> tuple[bytes, str]:
    return encode_multipart(BOUNDARY, body), BOUNDARY


def announced(paths: list[Path]) -> list[dict[str, object]]:
    return [
        {"name": p.name, "size": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in paths
    ]  # fmt: skip


def ask(client: Client, code: str, files: list[dict[str, object]], *, batch: int = 1):
    return client.post(
        f"{IMPORTS}{code}/known/", {"batch": batch, "files": files}, content_type="application/json"
    )


def rows(code: str) -> list[tuple[int, str, str]]:
    found = ImportFile.objects.filter(source__code=code)
    return [(f.row, f.name, f.reason_code or f.outcome) for f in found]


def test_a_folder_goes_in_by_two_batches_and_the_report_names_every_file(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code, paths = begin(client), slices(tmp_path / "ct", n=4)
    assert put(client, code, 1, as_sent(paths[:2]), names=["ct/a", "ct/b"]).status_code == 200
    answer = put(client, code, 2, as_sent(paths[2:])).json()
    assert answer["outcomes"] == {"ready": 4}
    ended = client.post(f"{IMPORTS}{code}/end/").json()
    assert ended["ended_at"] is not None
    assert rows(code) == [(1, "ct/a", "ready"), (2, "ct/b", "ready"), (3, paths[2].name, "ready"), (4, paths[3].name, "ready")]  # fmt: skip
    assert Exam.objects.get().study_key == "bone"
    assert Instance.objects.count() == 4


def test_a_batch_sent_again_after_a_lost_answer_is_answered_for_once(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code, paths = begin(client), slices(tmp_path / "ct", n=3)
    first = put(client, code, 1, as_sent(paths)).json()
    again = put(client, code, 1, as_sent(paths)).json()
    assert first["outcomes"] == again["outcomes"] == {"ready": 3}
    assert [row for row, _, _ in rows(code)] == [1, 2, 3]


def test_a_batch_of_which_only_a_part_was_taken_is_completed(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code, paths = begin(client), slices(tmp_path / "ct", n=4)
    put(client, code, 7, as_sent(paths[:2]))
    assert put(client, code, 7, as_sent(paths)).json()["outcomes"] == {"ready": 4}
    assert Instance.objects.count() == 4


def test_a_zip_is_unpacked_in_its_batch_and_sent_twice_changes_nothing(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code, raw = begin(client), io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for path in slices(tmp_path / "ct", n=3):
            archive.write(path, f"ct/{path.name}")
        archive.writestr("notes.txt", "not an image")
    for _ in range(2):
        response = put(
            client, code, 1, [SimpleUploadedFile("all.zip", raw.getvalue())], folder="true"
        )
    assert response.json()["outcomes"] == {"ready": 3, "skipped": 1}


def test_beside_images_of_a_folder_other_files_are_skipped_not_refused() -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    text = SimpleUploadedFile("readme.txt", b"hello there, this is no image")
    assert put(client, code, 1, [text], folder="true").json()["outcomes"] == {"skipped": 1}
    text.seek(0)
    answer = put(client, code, 2, [text]).json()
    assert answer["outcomes"] == {"skipped": 1, "refused": 1}
    assert answer["problems"] == [
        {"name": "readme.txt", "outcome": "refused", "sentence": "This is not a DICOM file."}
    ]


def test_an_empty_file_is_one_refusal(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    files = [SimpleUploadedFile("empty.dcm", b""), *as_sent(slices(tmp_path / "ct", n=1))]
    assert put(client, code, 1, files).json()["outcomes"] == {"refused": 1, "ready": 1}


def test_what_the_study_holds_is_known_and_stands_in_the_report(tmp_path: Path) -> None:
    a_study()
    client, paths = sign_in("coordinator"), slices(tmp_path / "ct", n=3)
    put(client, begin(client), 1, as_sent(paths[:2]))
    code = begin(client)
    for _ in range(2):
        assert ask(client, code, announced(paths)).json() == {"known": [True, True, False]}
    assert put(client, code, 2, as_sent(paths[2:])).json()["outcomes"] == {
        "already here": 2,
        "ready": 1,
    }


@pytest.mark.promise("B6")
def test_what_another_study_or_shelf_holds_is_not_known(tmp_path: Path) -> None:
    a_study()
    other = a_study("knee")
    client, paths = sign_in("coordinator"), slices(tmp_path / "ct", n=2)
    put(client, begin(client), 1, as_sent(paths))
    other_client = sign_in("coordinator")
    code = other_client.post("/api/v1/studies/knee/imports/").json()["code"]
    answer = other_client.post(
        f"/api/v1/studies/knee/imports/{code}/known/",
        {"batch": 1, "files": announced(paths)}, content_type="application/json",
    )  # fmt: skip
    assert answer.json() == {"known": [False, False]}
    assert Import.objects.get(code=code).study_key == other.code


def test_an_ended_import_takes_no_more(tmp_path: Path) -> None:
    a_study()
    client, paths = sign_in("coordinator"), slices(tmp_path / "ct", n=1)
    code = begin(client)
    for _ in range(2):
        assert client.post(f"{IMPORTS}{code}/end/").status_code == 200
    for answer in (put(client, code, 1, as_sent(paths)), ask(client, code, announced(paths))):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "This import has ended; choose the files again to begin another."  # fmt: skip
    assert not Instance.objects.exists()


def test_once_the_cohort_is_locked_an_open_import_of_the_study_takes_no_more(
    tmp_path: Path,
) -> None:
    study = a_study(state="SCREENING")
    client = sign_in("coordinator")
    code = begin(client)
    carry_to(study, "READING")
    answer = put(client, code, 1, as_sent(slices(tmp_path / "ct", n=1)))
    assert (answer.status_code, Instance.objects.exists()) == (409, False)
    assert "locked meanwhile" in answer.json()["detail"]


def test_an_import_begun_after_the_lock_goes_to_the_shelf_and_says_so(tmp_path: Path) -> None:
    carry_to(a_study(state="SCREENING"), "READING")
    client = sign_in("coordinator")
    begun = client.post(IMPORTS).json()
    assert begun["warning"] == "The cohort of bone is locked; the images wait on your shelf."
    put(client, begun["code"], 1, as_sent(slices(tmp_path / "ct", n=1)))
    assert Exam.objects.get().study_key == ""


def test_nobody_adds_to_the_import_of_another(tmp_path: Path) -> None:
    study = a_study()
    code = begin(sign_in("coordinator"))
    make_member(study, "second", "coordinator")
    answer = put(sign_in("second"), code, 1, as_sent(slices(tmp_path / "ct", n=1)))
    assert (answer.status_code, rows(code)) == (409, [])


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "analyst", "monitor", "outsider"])
def test_only_coordinators_find_the_imports(name: str) -> None:
    a_study()
    code = begin(sign_in("coordinator"))
    client = sign_in(name)
    assert client.post(IMPORTS).status_code == 404
    assert client.get(f"{IMPORTS}{code}/").status_code == 404
    assert put(client, code, 1, [SimpleUploadedFile("a", b"a")]).status_code == 404


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ([], []),
        ([("a", b"x")], ["a", "b"]),
        ([(f"{k}", b"x") for k in range(201)], []),
    ],
    ids=["no file", "more names than files", "too many files"],
)
def test_a_batch_that_is_no_batch_is_refused_and_leaves_nothing(files, names) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    answer = put(client, code, 1, [SimpleUploadedFile(n, c) for n, c in files], names=names)
    assert answer.status_code in {400, 422}, answer.content
    assert rows(code) == []


@pytest.mark.parametrize(
    "change",
    [{"sha256": "zz"}, {"sha256": ""}, {"size": -1}, {"name": ""}],
    ids=["no digest", "empty digest", "negative size", "no name"],
)
def test_a_wrong_announcement_is_refused_by_field(change: dict[str, object]) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    one = {"name": "a", "size": 1, "sha256": "0" * 64, **change}
    assert ask(client, code, [one]).status_code == 400
    assert rows(code) == []


def test_at_most_200_files_are_announced_at_once() -> None:
    a_study()
    client = sign_in("coordinator")
    many = [{"name": f"{k}", "size": 1, "sha256": f"{k:064x}"} for k in range(201)]
    assert ask(client, begin(client), many).status_code == 400


def test_a_full_disk_answers_503_and_the_batch_can_come_again(tmp_path: Path, monkeypatch) -> None:
    a_study()
    client, paths = sign_in("coordinator"), slices(tmp_path / "ct", n=2)
    code = begin(client)
    with monkeypatch.context() as patch:
        patch.setattr(packs, "has_room", lambda coming: False)
        answer = put(client, code, 1, as_sent(paths))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert rows(code) == []
    assert put(client, code, 1, as_sent(paths)).json()["outcomes"] == {"ready": 2}


@pytest.mark.promise("A1")
def test_each_step_of_an_import_is_one_audit_row(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    paths = slices(tmp_path / "ct", n=2)
    ask(client, code, announced(paths))
    put(client, code, 2, as_sent(paths))
    client.post(f"{IMPORTS}{code}/end/")
    events = AuditEvent.objects.order_by("pk")
    assert {e.obj for e in events} == {f"import:{code}"}
    assert [e.verb for e in events] == [
        "import.begin",
        "import.known",
        "import.batch",
        "import.end",
    ]
    assert '"ready":2' in events[3].values.body


def test_the_plain_form_takes_files_too_and_shows_the_report(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    page = client.get("/studies/bone/import/").content.decode()
    assert f'data-upload="{IMPORTS}"' in page
    answer = client.post("/studies/bone/import/upload/", {"files": as_sent(slices(tmp_path, n=2))}, follow=True)  # fmt: skip
    assert answer.status_code == 200
    assert "2 ready" in answer.content.decode()


def test_the_form_without_a_file_is_refused_in_one_sentence() -> None:
    a_study()
    answer = sign_in("coordinator").post("/studies/bone/import/upload/")
    assert answer.status_code == 422
    assert "Choose at least one file, folder or zip." in answer.content.decode()


def test_a_hostile_file_name_is_shown_as_text(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    name = "<img src=x onerror=alert(1)>.dcm"
    put(client, code, 1, as_sent(slices(tmp_path / "ct", n=1, who=person())), names=[name])
    page = client.get(f"/studies/bone/imports/{code}/").content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.dcm" in page


def test_the_report_as_csv_is_safe_for_spreadsheets(tmp_path: Path) -> None:
    a_study()
    client = sign_in("coordinator")
    code = begin(client)
    put(client, code, 1, as_sent(slices(tmp_path / "ct", n=1)), names=["=HYPERLINK(1)"])
    text = client.get(f"/studies/bone/imports/{code}/report.csv").content.decode()
    assert "'=HYPERLINK(1)" in text


def test_nothing_stays_in_the_spool(tmp_path: Path, settings) -> None:
    a_study()
    client = sign_in("coordinator")
    put(client, begin(client), 1, as_sent(slices(tmp_path / "ct", n=2)))
    names = [p.name for p in (settings.DATA_DIR / "spool").iterdir()]
    assert [n for n in names if n.startswith(("upload-", "unpack-", "batch-"))] == []
