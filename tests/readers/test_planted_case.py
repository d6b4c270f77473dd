"""Planted CT, SPECT, whole-body and PET files, read by readers and run by a coordinator: nothing planted comes out.

Each file holds a string of its own in every element of the dictionary, private groups and preamble; its name holds one.
"""

import io
import json
import logging
from collections.abc import Iterator
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from portal.archive import packs
from portal.archive.dicomweb import baked
from portal.archive.models import Instance, Series
from portal.archive.scanning import in_files, wanted_of
from portal.archive.writer import SpectSeries, WholeBody, write_spect, write_whole_body
from portal.study.models import Lesion, Study
from readers.grants import grants
from readers.models import Assignment
from tests.archive.builders import person, pet, slices, take
from tests.archive.planting import MARK, kept_until_the_end, spoil, tell_tales
from tests.cohort import make_patient, make_user
from tests.readers.builders import case_images, make_reading_study, start
from tests.test_blinding import TOKENS, addresses

pytestmark = [pytest.mark.django_db, pytest.mark.promise("B1")]
PLACE = {"x_mm": -3.0, "y_mm": -4.0, "z_mm": -4.5}
FORMS = (
    "*/*",
    "multipart/related; type=application/octet-stream; transfer-syntax=*",
    "application/octet-stream",
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    "image/jpeg",
    "image/png",
)
# what a coordinator may see of files and persons: the importer's file names, and the sealed identities
OF_IMPORTERS = ("/imports/", "/api/v1/studies/bone/imports/")


def written(folder: Path) -> list[Path]:
    """Two slices of CT and of PET, a SPECT volume and a whole-body scan, all planted."""
    counts = np.arange(5 * 6 * 5, dtype=np.uint16).reshape(5, 6, 5)
    spect = SpectSeries(
        person(), "2.25.31", "2.25.32", "2.25.9", counts, (-5.0, -6.0, -7.0), (0.9, 0.8), 1.25, time(9), 740.0,
        is_negative=True,
    )  # fmt: skip
    scan = WholeBody(person(), "2.25.41", "2.25.42", counts[:2], (2.2, 2.2), time(9), 740.0)
    found = [
        *slices(folder / "ct", n=2), *pet(folder / "pet", n=2),
        write_spect(folder, spect, encoding="rle"), write_whole_body(folder, scan, encoding="raw"),
    ]  # fmt: skip
    named = []
    for number, path in enumerate(found):
        spoil(path)
        named.append(path.rename(path.with_name(f"{MARK}FILE{number}.dcm")))
    return named


def lesion_of(study: Study, *, number: int, label: str) -> Lesion:
    """A lesion on the planted images; `label` says which of them fill its SPECT slot."""
    patient = make_patient(study)
    series = {s.label: s for s in Series.objects.filter(state="ready")}
    return Lesion.objects.create(
        patient=patient, number=number, level="L3", longest_diameter_mm=9.0, ct_series=series["CT"],
        spect_series=series[label], whole_body_series=series["WB"], is_included=True, slot=1, **PLACE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    return written(tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def world(files, django_db_setup: None, django_db_blocker) -> Iterator[dict[str, int]]:
    """Reader -> the case on the desk: the SPECT of one lesion, the PET of another."""
    with django_db_blocker.unblock(), kept_until_the_end():
        parameters = {"still_pictures": True}
        study = make_reading_study(n_lesions=0, parameters=parameters, state="DRAFT", is_synthetic=True)  # fmt: skip
        row = take(*files, study_key=study.code)
        assert {f.outcome for f in row.files.all()} == {"ready"}, [f.sentence for f in row.files.all()]  # fmt: skip
        lesions = {
            "expert1": lesion_of(study, number=1, label="SPECT"),
            "expert2": lesion_of(study, number=2, label="PET"),
        }
        Study.objects.filter(pk=study.pk).update(state="SCREENING")
        Study.objects.filter(pk=study.pk).update(state="READING")
        study.refresh_from_db()
        yield {
            name: start(study, name, lesions=[lesion]).assignments.get().pk
            for name, lesion in lesions.items()
        }


@pytest.fixture(params=["expert1", "expert2"])
def reader(request, world) -> Iterator[tuple[Client, Assignment]]:
    grants.kept.clear()
    client = Client()
    client.force_login(make_user(request.param))
    yield client, Assignment.objects.get(pk=world[request.param])
    grants.kept.clear()


def whole(answer) -> bytes:
    body = TOKENS.sub(b"", b"".join(answer) if answer.streaming else answer.content)
    return str(sorted(answer.headers.items())).encode() + b"\n" + body


def resources(case: Assignment) -> list[str]:
    """Every DICOMweb resource of every image of the case."""
    found = ["studies?includefield=all", "series?includefield=all", "instances?includefield=all"]
    for image in case_images(case):
        study, series, instance = image.key
        exam, own = f"studies/{study}", f"studies/{study}/series/{series}"
        one = f"{own}/instances/{instance}"
        for place in (exam, own, one):
            found += [place, *(f"{place}/{tail}" for tail in ("metadata", "rendered", "thumbnail"))]
        found += [f"{exam}/series?includefield=all", f"{exam}/instances", f"{own}/instances?includefield=all"]  # fmt: skip
        tails = ("frames/1", "frames/1/rendered", "frames/1/thumbnail", "bulkdata/7FE00010", "bulkdata/00081140")  # fmt: skip
        found += [f"{one}/{tail}" for tail in tails]
    return sorted(set(found))


@pytest.mark.promise("B6")
def test_no_byte_of_a_readers_answers_holds_anything_planted(reader):
    client, case = reader
    base, met = f"/reading/cases/{case.code}", set()
    pages = ["", "/document", "/picture.png?role=CT", "/picture.png?role=SPECT&slice=1", "/picture.png?role=FUSED",
             "/picture.png?role=WB-ANT", "/threshold"]  # fmt: skip
    asked = [base + page for page in pages] + [f"{base}/dicomweb/{one}" for one in resources(case)]
    for address in [*asked, *addresses({"code": [case.code]}, floors=("readers",))]:
        for form in FORMS if "/dicomweb/" in address else ("*/*",):
            answer = client.get(address, headers={"accept": form})
            if answer.status_code == 200:
                met.add(address)
            found = tell_tales(whole(answer))
            assert found == set(), (address, form)
    assert {base + "/document", f"{base}/dicomweb/studies?includefield=all"} <= met
    tails = ("/metadata", "/frames/1", "/frames/1/rendered", "/thumbnail", "/bulkdata/7FE00010")
    assert [t for t in tails if not any(a.endswith(t) for a in met)] == []


# what an import reads for coordinators alone: SUV, the injection, the camera's own numbers
TOLD_COORDINATORS = {
    "suv": 0.000276118, "nuclide": "Lu-177", "injected_at": "20180101093000", "pixel_scale": 4.5, "pixel_offset": 2.5,
}  # fmt: skip


def test_what_coordinators_alone_are_told_of_images_changes_no_byte(reader, monkeypatch):
    client, case = reader
    base = f"/reading/cases/{case.code}"
    asked = [f"{base}/document", f"{base}?view=pictures", f"{base}/picture.png?role=SPECT"]
    asked += [f"{base}/dicomweb/{one}" for one in resources(case)]

    def visit() -> list[bytes]:
        grants.kept.clear()
        monkeypatch.setattr(baked, "FORMAT", baked.FORMAT + "+")  # nothing that was kept is kept
        return [whole(client.get(address)) for address in asked]

    visit()  # opening a case is an act of its own
    before = visit()
    for image in Instance.objects.all():
        image.header = {**image.header, **TOLD_COORDINATORS}
        image.save(update_fields=["header"])
    for series in Series.objects.all():
        series.acquisition = {**series.acquisition, **TOLD_COORDINATORS}
        series.save(update_fields=["acquisition"])
    assert visit() == before
    assert client.get(asked[0]).status_code == 200


def test_the_case_shows_the_spect_of_one_lesion_and_the_pet_of_the_other(world):
    found = {}
    for name, pk in world.items():
        case = Assignment.objects.get(pk=pk)
        found[name] = {i.elements["00080060"]["Value"][0] for i in case_images(case)}
    assert found == {"expert1": {"CT", "NM"}, "expert2": {"CT", "PT", "NM"}}


@pytest.mark.parametrize("identities", ["none", "sealed"])
def test_no_page_or_file_of_a_coordinator_holds_anything_planted_but_where_it_may(
    world, settings, identities
):
    """Device and kernel stand in the archive view, file names in the reports of imports; nothing else anywhere.

    While identities are kept, the source view alone is beside that.
    """
    settings.IDENTITIES = identities
    client = Client()
    client.force_login(make_user("coordinator"))
    study, series = Study.objects.get(), list(Series.objects.all())
    allowed = of_device(series)
    lesion = Lesion.objects.first()
    samples = {
        "study": [study.code], "patient": [lesion.patient.code], "subject": [lesion.patient.subject],
        "lesion": [lesion.code], "series": [str(series[0].pk)], "form": ["csv", "json"],
        "key": ["reads", "series", "features", "roc"], "part": ["train", "validation"],
        "rest": ["studies?includefield=all", *(f"studies/{s.exam.uid}/series/{s.uid}{t}" for s in series
                                               for t in ("", "/metadata", "/instances?includefield=all"))],
    }  # fmt: skip
    n, shown = 0, set()
    for address in addresses(samples):
        answer = client.get(address)
        n += answer.status_code == 200
        if identities == "sealed" and address.startswith("/dicomweb/"):
            shown |= tell_tales(whole(answer))
        elif not any(part in address for part in OF_IMPORTERS):
            assert tell_tales(whole(answer)) - allowed == set(), address
    assert n > (40 if identities == "none" else 30)
    assert bool(shown - allowed) == (identities == "sealed")


def of_device(series: list[Series]) -> set[bytes]:
    facts = [s.instances.first().header["facts"] for s in series]
    names = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "FilterType", "ConvolutionKernel")  # fmt: skip
    return {t for f in facts for n in names for t in tell_tales(str(f.get(n, "")).encode())}


def test_a_dump_of_the_database_holds_it_in_the_sealed_tables_and_names_of_files_only(world):
    out = io.StringIO()
    call_command("dumpdata", stdout=out)
    allowed = of_device(list(Series.objects.all()))
    found: dict[str, set[bytes]] = {}
    for row in json.loads(out.getvalue()):
        tales = tell_tales(json.dumps(row["fields"]).encode()) - allowed
        if tales:
            found.setdefault(row["model"], set()).update(tales)
    names = found.pop("archive.importfile")
    assert names == {f"{MARK}FILE{n}".encode() for n in range(6)}
    assert set(found) <= {"archive.identity", "archive.sourceseries", "archive.sourceuid"}
    assert "archive.identity" in found


def test_no_file_of_the_archive_holds_anything_planted(world):
    lines = "\n".join(["1.2.999.47110815", "19470311", *(f"{MARK}{w}" for w in ("PRIV", "PREAMBLE", "OVERLAY", "FILE", "KIND", "CORR", "COMMENT"))])  # fmt: skip
    for series in Series.objects.all():
        assert list(in_files(packs.folder_of(series.folder), wanted_of(lines))) == []


def test_an_import_of_planted_files_logs_nothing_of_them(files, caplog):
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    try:
        row = take(*files, archive_seed=b"another")
    finally:
        logging.getLogger().removeHandler(handler)
    said = text.getvalue() + caplog.text
    assert row.files.filter(outcome="ready").count() == 6
    assert tell_tales(said.encode()) == set()
