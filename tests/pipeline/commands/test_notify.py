"""`bridge notify` as an operator starts it: real processes, Redis, an HTTP and a mail server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import redis

from pipeline.events import Event
from testbed.free_port import free_port
from testbed.http_receiver import Reply, http_receiver
from testbed.mqtt_broker import wait_until
from testbed.smtp_receiver import smtp_receiver
from tests.conftest import REPOSITORY
from tests.pipeline.commands.test_bridge import groups, pending, publish, running
from tests.pipeline.decided_items import make_alarm_event, make_event


def test_alarms_reach_everyone_and_a_dead_service_delays_only_itself(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "1.jpg").write_bytes(b"\xff\xd8\xff image")
    away, log = free_port(), tmp_path / "log"
    events: list[Event] = [
        make_event(1),
        make_alarm_event(2, snapshot="1.jpg"),
        make_alarm_event(3, "end"),
    ]
    with http_receiver() as phone, smtp_receiver() as mail:
        (tmp_path / "phone.url").write_text(f"json://hunter2:hunter3@127.0.0.1:{phone.port}/x\n")
        targets = {
            "away": {"url": f"json://127.0.0.1:{away}/hunter4"},
            "phone": {"url_file": str(tmp_path / "phone.url"), "title": "{severity}: {what}"},
            "mail": {
                "url": f"mailto://127.0.0.1:{mail.port}?mode=insecure&from=a@b.de&to=c@d.de",
                "filter": ["kind=alarm", "phase=start,end"],
            },
        }
        settings = {
            "bridges": {"notify": {"targets": targets}},
            "evidence": {"folder": str(tmp_path / "evidence")},
        }
        (tmp_path / "own.yaml").write_text(json.dumps(settings))
        own = ["--config", str(tmp_path / "own.yaml"), "--redis", server]
        command = ["run_pipeline.py", "--log-level", "debug", "bridge", "notify", *own]
        with running(client, "bridge-notify-mail", *command, log=log) as process:
            wait_until(lambda: len(groups(client)) == 3, 60)
            publish(server, events)
            message = json.loads(phone.next().body)
            assert message["title"] == "critical: fight"
            assert [one["filename"] for one in message["attachments"]] == ["snapshot.jpg"]
            assert [mail.next()["Subject"] for _ in range(2)] == ["fight at gate"] * 2
            wait_until(lambda: "JSON does not answer" in log.read_text(), 60)
            wait_until(lambda: pending(client, "bridge-notify-mail") == 0, 60)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
    assert pending(client, "bridge-notify-away") == 1  # it is there at the next start
    assert "hunter" not in log.read_text()
    assert phone.requests.empty()


def test_a_test_message_says_who_got_it(tmp_path: Path) -> None:
    with http_receiver() as phone:
        targets = {
            "phone": {"url": f"json://127.0.0.1:{phone.port}/hunter2"},
            "chat": {"url": f"json://127.0.0.1:{phone.port}/hunter2", "filter": ["kind=end"]},
        }
        (tmp_path / "own.yaml").write_text(
            json.dumps({"bridges": {"notify": {"targets": targets}}})
        )
        command = [sys.executable, "run_pipeline.py", "bridge", "notify", "--test"]
        command += ["--config", str(tmp_path / "own.yaml")]
        phone.replies.put(Reply(200))
        phone.replies.put(Reply(403))
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=os.environ | {"NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "target phone" in json.loads(phone.next().body)["message"]
    assert done.returncode == 1, done.stderr
    assert "phone: JSON accepted a message" in done.stderr
    assert "chat: failed: JSON answers 403" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
