"""Requests without personal data: what is ranked and logged never held it; answers speak as the caller did.

Nearly every request is clean, and finding that out is on the hot path: one look at the texts to be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType

import msgspec

from letterpress.events.personal_data import may_hold_contact, pseudonymise
from letterpress.events.types import Slate, personal_fields_of
from letterpress.lake.masking import mask_event
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.serving.messages import RankRequest

NO_NAMES: Mapping[str, str] = MappingProxyType({})

PERSONAL = personal_fields_of(RankRequest)
"""The fields that hold identifiers of people, as the model declares them."""
_LOGGED = [
    name
    for name in RankRequest.__struct_fields__
    if name in Slate.__struct_fields__ and name not in {*PERSONAL, "items"}
]
_texts = attrgetter(*_LOGGED)
_encode = msgspec.json.Encoder().encode
_item_id = attrgetter("item_id")


def make_private(request: RankRequest, keys: TenantKeys) -> tuple[RankRequest, Mapping[str, str]]:
    """The request without personal data, and for item ids that were masked what the request calls them.

    The same request when it holds none. Items that were masked before are found in the snapshot, because
    raw knows them under the same token.

    Raises:
        StorageError: a key is needed and cannot be read.
    """
    items = request.items or ()
    if may_hold_contact(_encode((_texts(request), list(map(_item_id, items))))):
        private, _ = mask_event(request, keys, like="slate")
        masked = private.items or ()
        names = {new.item_id: old.item_id for new, old in zip(masked, items, strict=True) if new is not old}
        return private, names
    people = {name: value for name in PERSONAL if (value := getattr(request, name)) is not None}
    if not people:
        return request, NO_NAMES
    key = keys.of(request.tenant).pseudonyms
    hashed = {name: pseudonymise(value, key) for name, value in people.items()}
    return msgspec.structs.replace(request, **hashed), NO_NAMES
