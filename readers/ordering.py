"""The order of cases as data: a keyed shuffle in plain Python, repaired for the patient gap."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from portal.errors import Invalid

Item = TypeVar("Item")
TOO_MANY = "One patient has too many lesions for a gap of {gap} cases; lower the gap of the design."


def words(key: str) -> Iterator[int]:
    """Endless 64-bit numbers, each the head of SHA-256 over the key and a counter."""
    counter = 0
    while True:
        block = hashlib.sha256(f"{key}|{counter}".encode()).digest()
        yield int.from_bytes(block[:8], "big")
        counter += 1


def below(limit: int, stream: Iterator[int]) -> int:
    """A number 0..limit-1 without modulo bias: words above the last full multiple are passed over."""
    ceiling = (1 << 64) - (1 << 64) % limit
    return next(word for word in stream if word < ceiling) % limit


def shuffle(items: Sequence[Item], *, key: str) -> list[Item]:
    """Fisher–Yates; the same items in the same order and the same key give the same result everywhere."""
    order = list(items)
    stream = words(key)
    for last in range(len(order) - 1, 0, -1):
        other = below(last + 1, stream)
        order[last], order[other] = order[other], order[last]
    return order


def is_spaced(groups: Sequence[str], *, gap: int) -> bool:
    """True if equal groups lie at least `gap` places apart."""
    last: dict[str, int] = {}
    for place, group in enumerate(groups):
        if group in last and place - last[group] < gap:
            return False
        last[group] = place
    return True


def spaced(order: Sequence[Item], group_of: Callable[[Item], str], *, gap: int) -> list[Item]:
    """The order with as few moves as possible so that items of a group lie at least `gap` apart.

    Each place takes the first waiting item whose group is far enough back; what is left at the end
    goes to the nearest earlier place that suits it. Where some of it suits no place, the largest
    groups are dealt out first: that finds an order whenever there is one.
    """
    waiting = list(order)
    placed: list[Item] = []
    while waiting:
        recent = {group_of(item) for item in placed[max(0, len(placed) - gap + 1) :]}
        fitting = next((i for i, x in enumerate(waiting) if group_of(x) not in recent), None)
        if fitting is None or gap <= 1:
            break
        placed.append(waiting.pop(fitting))
    if gap <= 1:
        return list(order)
    for item in waiting:
        place = nearest_place(placed, item, group_of, gap=gap)
        if place is None:
            return dealt(order, group_of, gap=gap)
        placed.insert(place, item)
    return placed


def nearest_place(
    placed: Sequence[Item], item: Item, group_of: Callable[[Item], str], *, gap: int
) -> int | None:
    groups = [group_of(x) for x in placed]
    mine = group_of(item)
    for place in range(len(groups), -1, -1):
        around = groups[max(0, place - gap + 1) : place + gap - 1]
        if mine not in around:
            return place
    return None


def dealt(order: Sequence[Item], group_of: Callable[[Item], str], *, gap: int) -> list[Item]:
    """Each place takes the next item of the largest group far enough back, the earlier of equals."""
    waiting = list(order)
    placed: list[Item] = []
    while waiting:
        left = Counter(map(group_of, waiting))
        recent = {group_of(item) for item in placed[max(0, len(placed) - gap + 1) :]}
        fitting = [i for i, x in enumerate(waiting) if group_of(x) not in recent]
        if not fitting:
            raise Invalid(TOO_MANY.format(gap=gap), field="patient_gap")
        placed.append(waiting.pop(max(fitting, key=lambda i: (left[group_of(waiting[i])], -i))))
    return placed
