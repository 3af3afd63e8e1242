{{ entity_hours('tenant') }}
