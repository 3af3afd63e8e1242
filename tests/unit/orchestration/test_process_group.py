import socket

import pytest

from letterpress.errors import PortInUseError
from letterpress.orchestration.process_group import refuse_used_port


@pytest.mark.parametrize(
    ("name", "way_out"), [("site", "LETTERPRESS_SITE__PORT=<port>"), ("mlflow", "--port")]
)
def test_a_used_port_names_a_way_out_that_exists(name: str, way_out: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"another port with {way_out}"):
            refuse_used_port(name, port)
