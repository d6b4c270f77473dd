"""New UIDs, codes and date shifts: what they are made of, what they look like, and what they do not share."""

import hashlib
import hmac
import uuid
from collections import Counter
from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from portal.archive.deidentify import age_band, shifted
from portal.archive.limits import is_valid_uid, wall_seconds
from portal.archive.uids import (
    WEEKS,
    archive_key,
    archive_uid,
    case_uid,
    file_digest,
    keyed_uid,
    patient_key,
    shift_weeks,
    study_key,
    subject_code,
)

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
source_uids = st.from_regex(r"[12]\.[0-9]{1,3}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)
dates = st.dates(date(1905, 1, 1), date(2100, 1, 1))


def as_uuid(uid: str) -> uuid.UUID:
    root, _, number = uid.rpartition(".")
    assert root == "2.25"
    return uuid.UUID(int=int(number))


@given(uid=source_uids, scope=st.sampled_from(["archive", "export", "caseA7Q"]))
def test_a_new_uid_is_a_uuid_of_version_8_and_a_valid_uid(uid: str, scope: str) -> None:
    found = keyed_uid(KEY, scope, uid)
    assert (as_uuid(found).version, as_uuid(found).variant) == (8, uuid.RFC_4122)
    assert is_valid_uid(found)
    assert len(found) <= 44


@given(uid=source_uids)
def test_all_other_bits_are_the_keyed_digest_of_scope_and_uid(uid: str) -> None:
    """The digest computed a second time, as one integer, and the six fixed bits laid over it."""
    whole = int(hmac.new(KEY, f"archive|{uid}".encode(), "sha256").hexdigest()[:32], 16)
    fixed = (0xF << 76) | (0b11 << 62)
    assert as_uuid(archive_uid(KEY, uid)).int & ~fixed == whole & ~fixed


def test_a_new_uid_does_not_change_with_the_program() -> None:
    """Images stored by an older version are found again; worked out by hand with hashlib."""
    digest = hashlib.sha256(b"\x00" * 32).digest()  # any key
    inner = bytes(b ^ 0x36 for b in digest.ljust(64, b"\0"))
    outer = bytes(b ^ 0x5C for b in digest.ljust(64, b"\0"))
    mac = hashlib.sha256(outer + hashlib.sha256(inner + b"archive|1.2.840.1").digest()).hexdigest()
    text = mac[:12] + "8" + mac[13:16] + "89ab"[int(mac[16], 16) % 4] + mac[17:32]
    assert archive_uid(digest, "1.2.840.1") == f"2.25.{int(text, 16)}"


@given(first=source_uids, second=source_uids)
def test_two_uids_stay_two_and_one_stays_one(first: str, second: str) -> None:
    assume(first != second)
    assert archive_uid(KEY, first) != archive_uid(KEY, second)
    assert archive_uid(KEY, first) == archive_uid(KEY, first)


@given(uid=source_uids)
def test_key_and_scope_each_give_another_uid(uid: str) -> None:
    found = {keyed_uid(k, s, uid) for k in (KEY, OTHER) for s in ("archive", "export", "caseA")}
    assert len(found) == 6


def test_scope_and_uid_cannot_be_shifted_into_each_other() -> None:
    """`case1` of UID 2.25.7 and `case12` of UID .25.7 would be one text without the bar between them."""
    assert keyed_uid(KEY, "case1", "2.25.7") != keyed_uid(KEY, "case12", ".25.7")


@given(uid=source_uids)
def test_a_case_uid_is_chained_on_the_archive_uid_with_the_studys_own_key(uid: str) -> None:
    archived = archive_uid(KEY, uid)
    assert case_uid("bone", "A7Q", archived) == keyed_uid(study_key("bone"), "caseA7Q", archived)


@given(uid=source_uids)
def test_no_two_cases_and_no_two_studies_share_a_uid(uid: str) -> None:
    archived = archive_uid(KEY, uid)
    seen = [uid, archived]
    seen += [case_uid(s, c, archived) for s in ("bone", "lung") for c in ("A7Q", "B2K", "A7")]
    assert len(set(seen)) == 8


def test_each_study_has_a_key_of_32_bytes_that_stays() -> None:
    assert len(study_key("bone")) == 32
    assert study_key("bone") == study_key("bone")
    assert len({study_key("bone"), study_key("lung"), archive_key()}) == 3


def test_a_synthetic_study_has_a_key_of_its_seed_and_never_the_installations() -> None:
    assert archive_key(b"seed 1") == archive_key(b"seed 1")
    assert len({archive_key(b"seed 1"), archive_key(b"seed 2"), archive_key()}) == 3


# PS3.5 9.1 and 3.3: digits and single dots, at most 64 characters
@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("1", True),
        ("1.2.840.10008.1.2", True),
        ("2.25.0", True),
        ("1" * 64, True),
        ("1" * 65, False),
        ("1." + "2" * 62, True),
        ("1." + "2" * 63, False),
        ("1.02.3", True),  # a leading nought is forbidden by PS3.5, and written by scanners
        ("", False),
        (".", False),
        ("1.", False),
        (".1", False),
        ("1..2", False),
        ("1.2.", False),
        ("1.2 ", False),
        (" 1.2", False),
        ("1.2\n", False),
        ("1.2\0", False),
        ("1.2a", False),
        ("../../etc", False),
        ("1.2/../3", False),
        ("１.２", False),  # full-width digits
        ("1.²", False),
        ("1.٣", False),
        ("-1.2", False),
    ],
)
def test_a_uid_is_digits_and_single_dots(text: str, is_valid: bool) -> None:
    assert is_valid_uid(text) is is_valid


@given(patient=st.text(max_size=20))
def test_dates_of_a_patient_move_by_1_to_521_weeks(patient: str) -> None:
    weeks = shift_weeks(KEY, "archive", patient)
    assert 1 <= weeks <= WEEKS == 521
    mac = hmac.new(KEY, f"date|archive|{patient}".encode(), hashlib.sha256).hexdigest()
    assert weeks == int(mac[:16], 16) % 521 + 1


def test_shifts_spread_over_all_the_weeks() -> None:
    """10,000 patients over 521 weeks: 19.2 each on average; a bin of more than 45 has p < 1e-6 in all."""
    counts = Counter(shift_weeks(KEY, "archive", f"P{k}") for k in range(10_000))
    assert len(counts) == WEEKS
    assert max(counts.values()) < 45


def test_two_cases_of_one_patient_have_independent_shifts() -> None:
    """Equal by chance once in 521: of 5,000 pairs 9.6 on average, 40 never."""
    pairs = [(shift_weeks(KEY, "caseA", f"P{k}"), shift_weeks(KEY, "caseB", f"P{k}")) for k in range(5_000)]  # fmt: skip
    assert sum(a == b for a, b in pairs) < 40


@given(day=dates, weeks=st.integers(1, WEEKS))
def test_a_shift_keeps_the_weekday_and_goes_back(day: date, weeks: int) -> None:
    moved = date.fromisoformat(shifted(day.strftime("%Y%m%d"), weeks))
    assert moved.weekday() == day.weekday()
    assert (day - moved).days == 7 * weeks


@given(first=dates, second=dates, weeks=st.integers(1, WEEKS))
def test_a_shift_keeps_intervals(first: date, second: date, weeks: int) -> None:
    moved = [date.fromisoformat(shifted(d.strftime("%Y%m%d"), weeks)) for d in (first, second)]
    assert moved[1] - moved[0] == second - first


@given(day=dates, first=st.integers(1, WEEKS), second=st.integers(1, WEEKS))
def test_shifts_add_up(day: date, first: int, second: int) -> None:
    """The case's shift is laid over the archive's."""
    text = day.strftime("%Y%m%d")
    assert shifted(shifted(text, first), second) == shifted(text, first + second)


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("20200229", "20200222"),  # a leap day
        ("20200301", "20200223"),
        ("20210107", "20201231"),  # over the turn of the year
        ("2021.01.07", "20201231"),  # ACR-NEMA's way of writing
        ("2021-01-07", "20201231"),
        ("20210107120000.000000+0100", "20201231"),  # the date part of a DT
        ("00010108", "00010101"),
        ("10000101", "09991225"),
        ("00010107", ""),  # before the calendar begins
        ("", ""),
        ("2021", ""),
        ("202101", ""),
        ("20211301", ""),
        ("20210230", ""),
        ("20210000", ""),
        ("unknown!", ""),
        ("2021010a", ""),
        ("2019030²", ""),
        ("²⁰²¹⁰¹⁰⁷", ""),
    ],
)
def test_a_date_moves_by_a_week_or_is_dropped(text: str, moved: str) -> None:
    assert shifted(text, 1) == moved


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("000Y", "000Y"), ("004Y", "000Y"), ("005Y", "005Y"), ("009Y", "005Y"), ("064Y", "060Y"), ("065Y", "065Y"),
        ("069Y", "065Y"), ("070Y", "070Y"), ("089Y", "085Y"), ("090Y", "090Y"), ("091Y", "090Y"), ("110Y", "090Y"),
        ("999Y", "090Y"), ("065y", "065Y"), ("018M", "000Y"), ("059M", "000Y"), ("060M", "005Y"), ("120M", "010Y"), ("003W", "000Y"), ("520W", "010Y"), ("010D", "000Y"),
        ("", ""), ("65Y", ""), ("65", ""), ("0065Y", ""), ("abcY", ""), ("-65Y", ""), ("6.5Y", ""), ("²²²Y", ""),
        ("065 ", ""), ("065X", ""), ("0650", ""),
    ],
)  # fmt: skip
def test_an_age_is_shown_as_its_five_year_edge(text: str, band: str) -> None:
    assert age_band(text) == band


@given(years=st.integers(0, 999))
@example(89)
@example(90)
def test_an_age_band_holds_the_age_and_no_more_than_five_years(years: int) -> None:
    low = int(age_band(f"{years:03d}Y")[:3])
    assert low % 5 == 0
    assert low <= years
    assert years < low + 5 or low == 90


@given(patient=st.text(min_size=1, max_size=30))
def test_a_subject_code_says_nothing_of_the_patient(patient: str) -> None:
    code = subject_code(KEY, patient)
    assert len(code) == 9
    assert code[0] == "S"
    assert set(code[1:]) <= set("0123456789abcdef")
    assert code != subject_code(OTHER, patient)
    assert patient_key(KEY, patient) != patient_key(OTHER, patient)


def test_codes_keys_and_digests_of_one_text_share_nothing() -> None:
    """Each use has a label of its own, so that knowing one value does not give the other."""
    text = hashlib.sha256(b"x").hexdigest()
    found = {subject_code(KEY, text)[1:], patient_key(KEY, text)[:8], file_digest(KEY, text)[:8], hmac.new(KEY, text.encode(), "sha256").hexdigest()[:8]}  # fmt: skip
    assert len(found) == 4


def test_the_digest_of_a_file_is_useless_without_the_key() -> None:
    plain = hashlib.sha256(b"the bytes of a file").hexdigest()
    stored = file_digest(KEY, plain)
    assert stored == hmac.new(KEY, b"file|" + bytes.fromhex(plain), "sha256").hexdigest()
    assert plain not in (stored, file_digest(OTHER, plain))
    assert stored != file_digest(OTHER, plain)


# 3.2: 5 s + 1 s per 8 MiB, at most 90 s
@pytest.mark.parametrize(
    ("size", "seconds"),
    [(0, 5), (4 * 2**20, 5.5), (8 * 2**20, 6), (512 * 2**20, 69), (680 * 2**20, 90), (2**31, 90)],
)
def test_the_time_for_a_file_grows_with_its_size(size: int, seconds: float) -> None:
    assert wall_seconds(size) == pytest.approx(seconds)
