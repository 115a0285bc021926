"""A role whose secret in a file is changed ends in order; its supervisor starts it with the new one."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from alerts.supervise import GATEWAY, Supervisor, What, commands
from streams.embedded.ports import free_port
from tests.faults.cluster import wait_for

OLD, NEW = "o" * 32, "n" * 32


def test_a_new_token_holds_after_a_restart_of_its_own_and_the_old_one_no_more(tmp_path: Path) -> None:
    """Without Kafka a token that is right is answered 503, a wrong one 403."""
    token, port = tmp_path / "own.token", free_port()
    token.write_text(OLD)
    config = tmp_path / "carrier-health.toml"
    config.write_text(
        f'[privacy]\nrecipient_key = "{"k" * 32}"\n'
        f'[kafka]\nbootstrap_servers = "127.0.0.1:9"\n[http]\ngateway_port = 0\n[gateway]\nport = {port}\n'
        f'[[sources]]\nname = "own"\nformat = "canonical"\nbearer_token_file = "{token}"\n'
    )
    notes = []
    supervisor = Supervisor(commands(config, roles=[GATEWAY]), notes.append, log_dir=tmp_path)
    try:
        wait_for(lambda: asked(port, OLD) == 503, "the old token holds", 30.0, supervisor.tick)
        assert asked(port, NEW) == 403
        token.write_text(NEW)
        wait_for(lambda: asked(port, NEW) == 503, "the new token holds", 40.0, supervisor.tick)
        assert asked(port, OLD) == 403
    finally:
        supervisor.stop(hurry=lambda: True)
    assert [n.exit_code for n in notes if n.what is What.ENDED] == [0], "it ended in order"
    log = (tmp_path / "gateway.log").read_text()
    assert "sources[0].bearer_token_file changed: ending, to be started with it" in log
    assert OLD not in log and NEW not in log


def asked(port: int, token: str) -> int:
    """The status; 0 while nobody answers."""
    body = b'{"message_id":"m","status":"delivered","received_ms":%d}' % int(time.time() * 1000)
    url, headers = f"http://127.0.0.1:{port}/v1/own/outcomes", {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(url, body, headers), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code
    except (URLError, OSError):
        return 0
