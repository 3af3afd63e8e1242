{{ entity_hours('enhancement_industry') }}
