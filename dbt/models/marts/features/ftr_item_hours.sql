{{ entity_hours('item') }}
