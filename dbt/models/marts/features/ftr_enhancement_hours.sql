{{ entity_hours('enhancement') }}
