{{ entity_hours('item_segment') }}
