"""Messages as bytes: what goes in comes out, sizes are as declared, and hostile bytes raise PeerError and nothing else."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.federation.codec import HEADER, decode, decode_header, encode, size_bytes
from coterie.federation.messages import KINDS

U32 = st.integers(0, 2**32 - 1)
LARGEST = 1000


def _encoded(code, fields, weight, run, beyond, ticket, numbers):
    round_, origin, phase, attempt, term = fields
    message = KINDS[code](round_, NodeId(origin), weight=weight, phase=phase, attempt=attempt)
    message.term = term
    vector = None if numbers is None else np.arange(numbers, dtype=np.float32) / 3
    return message, vector, *encode(run, NodeId(3), message, tuple(beyond), ticket, vector)


@given(
    st.sampled_from(sorted(KINDS)),
    st.tuples(U32, U32, st.integers(0, 2**16 - 1), U32, U32).map(lambda t: (t[0], t[1], t[2], t[3], t[4])),
    st.integers(0, 2**64 - 1),
    st.lists(U32, max_size=5),
    st.tuples(U32, U32, U32, U32),
    st.one_of(st.none(), st.integers(0, 50)),
)
def test_what_is_encoded_is_decoded_and_weighs_what_was_declared(code, fields, weight, beyond, ticket, numbers):
    message, vector, header, body = _encoded(code, fields, weight, 77, beyond, ticket, numbers)
    assert len(header) + len(body) == size_bytes(numbers or 0, len(beyond))
    frame = decode(header[: HEADER.size], header[HEADER.size :], bytes(body), largest=LARGEST)
    assert (frame.run, frame.sender, frame.ticket, frame.beyond) == (77, 3, ticket, tuple(beyond))
    assert type(frame.message) is KINDS[code]
    assert frame.message.identity == message.identity
    assert (frame.message.weight, frame.message.term) == (weight, fields[4])
    assert (frame.vector is None) == (vector is None)
    if vector is not None:
        np.testing.assert_array_equal(frame.vector, vector)


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_random_headers_raise_peer_errors_only(header):
    with pytest.raises(PeerError):
        decode_header(header, largest=LARGEST)


@given(st.integers(0, HEADER.size - 1), st.integers(0, 255))
def test_a_header_with_one_byte_changed_never_asks_for_more_than_the_bound(place, value):
    _, _, header, _ = _encoded(1, (1, 2, 0, 0, 0), 5, 1, (), (1, 1, 1, 1), 10)
    changed = bytearray(header)
    changed[place] = value
    with suppress(PeerError):
        beyond, body = decode_header(bytes(changed), largest=LARGEST)
        assert beyond <= 4 * 0xFFFF
        assert body <= 4 * LARGEST


@pytest.mark.parametrize(
    ("cut", "reason"), [((0, HEADER.size - 1), "malformed"), ((0, 0), "malformed")], ids=["short header", "empty header"]
)
def test_short_headers(cut, reason):
    _, _, header, _ = _encoded(1, (1, 2, 0, 0, 0), 5, 1, (), (1, 1, 1, 1), 10)
    with pytest.raises(PeerError) as caught:
        decode_header(header[slice(*cut)], largest=LARGEST)
    assert caught.value.reason == reason


def test_a_vector_of_another_length_than_announced_is_refused():
    _, _, header, body = _encoded(2, (1, 2, 0, 0, 0), 5, 1, (), (1, 1, 1, 1), 10)
    with pytest.raises(PeerError):
        decode(header, b"", bytes(body)[:-4], largest=LARGEST)


def test_a_vector_larger_than_the_model_is_refused_before_it_is_read():
    _, _, header, _ = _encoded(2, (1, 2, 0, 0, 0), 5, 1, (), (1, 1, 1, 1), 10)
    with pytest.raises(PeerError, match="oversized"):
        decode_header(header, largest=9)
