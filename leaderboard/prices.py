"""The cost of outside teachers and logs, as the maintainers know it: `prices.json` of a results repository.

Each digest has one price, the first one entered, which no submission can change.
"""

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter, ValidationError

from .fields import first_faults
from .submission import LIMIT, Source, plain

FILE = "prices.json"


def parse(data: bytes, where: str) -> tuple[Source, ...]:
    """Parse the file; ValueError names the invalid field, or the digest that occurs twice."""
    if len(data) > LIMIT:
        raise ValueError(f"{where} has more than {LIMIT} bytes: this is not a list of prices")
    try:
        found = TypeAdapter(tuple[Source, ...]).validate_python(plain(data, where))
    except ValidationError as error:
        raise ValueError(f"{where}: {first_faults(error)}") from None
    digests = [one.digest for one in found]
    if twice := next((one for one in digests if digests.count(one) > 1), ""):
        raise ValueError(f"{where}: {twice[:12]} is priced twice")
    return found


def entered(before: Sequence[Source], new: Iterable[Source]) -> bytes:
    """Return the file's content with new prices added; ValueError for an unknown cost or a changed price."""
    known = {one.digest: one for one in before}
    for one in new:
        if one.spent is None:
            raise ValueError(f"the cost of {one.reference} cannot be traced: it has no price")
        if known.setdefault(one.digest, one) != one:
            raise ValueError(f"{one.reference} already has a different price: a price never changes")
    return TypeAdapter(tuple[Source, ...]).dump_json(tuple(known.values()), indent=1) + b"\n"
