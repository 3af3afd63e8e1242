{{ entity_hours('send_hour') }}
