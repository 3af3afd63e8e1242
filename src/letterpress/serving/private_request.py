"""Requests without personal data: what is ranked and logged never held it; answers speak as the caller did.

Nearly every request is clean, and finding that out is on the hot path: one look at the texts to be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType

import msgspec

from letterpress.events.personal_data import may_hold_contact, pseudonymise
from letterpress.lake.masking import mask_event
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.serving.messages import RankRequest

NO_NAMES: Mapping[str, str] = MappingProxyType({})

_encode = msgspec.json.Encoder().encode
_item_id = attrgetter("item_id")


def make_private(request: RankRequest, keys: TenantKeys) -> tuple[RankRequest, Mapping[str, str]]:
    """The request without personal data, and for item ids that were masked what the request calls them.

    The same request when it holds none. Items that were masked before are found in the snapshot, because
    raw knows them under the same token.

    Raises:
        StorageError: a key is needed and cannot be read or made.
    """
    items = request.items or ()
    if may_hold_contact(
        _encode((request.tenant, request.slot, request.campaign, list(map(_item_id, items))))
    ):
        private, _ = mask_event(request, keys, like="slate")
        masked = private.items or ()
        names = {new.item_id: old.item_id for new, old in zip(masked, items, strict=True) if new is not old}
        return private, names
    if request.builder_id is None and request.session_id is None:
        return request, NO_NAMES
    key = keys.of(request.tenant).pseudonyms
    people = {"builder_id": request.builder_id, "session_id": request.session_id}
    hashed = {name: pseudonymise(value, key) for name, value in people.items() if value is not None}
    return msgspec.structs.replace(request, **hashed), NO_NAMES
