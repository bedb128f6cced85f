"""The files in deploy/ against each other, the tree and the configuration; nothing is built."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config.schema import load_config
from pipeline.telemetry.prometheus import PrometheusMetrics
from pipeline.telemetry.zone_statistics import CameraZones, ZoneTotals
from tests.conftest import REPOSITORY
from tests.pipeline.snapshots import make_snapshot

DEPLOY = REPOSITORY / "deploy"
SERVICE = DEPLOY / "behaviour-stream.service"
LIVE = DEPLOY / "live.yaml"
DOCKERFILES = ("Dockerfile", "camera.Dockerfile")


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, continued lines joined."""
    lines = (DEPLOY / name).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text).splitlines()
    parted = (line.partition(" ") for line in joined if line.strip())
    return [(instruction, rest.strip()) for instruction, _, rest in parted]


def service_lines(text: str) -> list[tuple[str, str]]:
    """Keys and values of a unit file, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    parted = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return [(key, value) for key, _, value in parted]


def compose_services() -> dict[str, Any]:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert isinstance(services, dict)
    return services


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_yaml_files_hold_sections(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def copied(name: str) -> list[str]:
    """What a Dockerfile takes from the repository."""
    found = [rest.split()[:-1] for instruction, rest in instructions(name) if instruction == "COPY"]
    return [source for sources in found for source in sources]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_an_image_copies_exists(name: str) -> None:
    assert copied(name)
    for source in copied(name):
        assert (REPOSITORY / source).exists(), source


def test_the_builder_is_given_what_the_image_copies() -> None:
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{source}" for source in copied("Dockerfile")} <= set(allowed)


def test_the_image_has_every_package_that_the_program_imports() -> None:
    tree = ast.parse((REPOSITORY / "run_pipeline.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {(module or "").split(".")[0] for module in modules}
    ours = {package for package in packages if (REPOSITORY / package).is_dir()}
    assert "pipeline" in ours
    assert ours <= set(copied("Dockerfile"))


def test_the_image_does_not_run_as_root_and_asks_for_its_health() -> None:
    found = dict(instructions("Dockerfile"))
    assert found["USER"] not in ("root", "0")
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert "http://127.0.0.1:8787/health" in found["HEALTHCHECK"]
    assert found["ENTRYPOINT"] == '["behaviour-stream"]'


def test_compose_builds_from_files_that_exist() -> None:
    built = [service["build"] for service in compose_services().values() if "build" in service]
    assert len(built) == 2
    for build in built:
        context = (DEPLOY / build["context"]).resolve()
        assert context == REPOSITORY
        assert (context / build["dockerfile"]).is_file()


def test_compose_uses_only_volumes_and_services_that_it_has() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), volume


def test_compose_shows_the_health_port_to_its_own_machine_only() -> None:
    pipeline = compose_services()["pipeline"]
    assert pipeline["ports"] == ["127.0.0.1:8787:8787"]
    assert "live.health=0.0.0.0:8787" in pipeline["command"]


@pytest.mark.parametrize("name", ["camera", "redis", "pipeline", "prometheus", "grafana"])
def test_a_service_of_compose_writes_nothing_but_volumes_and_keeps_its_user(name: str) -> None:
    service = compose_services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert not service.get("cap_add")
    assert not service.get("privileged")


def test_no_container_runs_as_root() -> None:
    services = compose_services()
    images = [service for service in services.values() if "image" in service]
    assert [service["user"] for service in images] == ["redis", "nobody", "grafana"]
    for name in DOCKERFILES:
        assert dict(instructions(name))["USER"] not in ("root", "0")


def test_every_image_can_be_given_by_its_digest() -> None:
    for name in DOCKERFILES:
        found = instructions(name)
        [argument] = [rest for instruction, rest in found if instruction == "FROM"]
        assert argument.startswith("${")
        declared = [rest.partition("=")[0] for key, rest in found if key == "ARG"]
        assert argument.strip("${}") in declared
    for name, image in (
        ("redis", "${REDIS_IMAGE:-redis:"),
        ("prometheus", "${PROMETHEUS_IMAGE:-prom/prometheus:"),
        ("grafana", "${GRAFANA_IMAGE:-grafana/grafana:"),
    ):
        assert compose_services()[name]["image"].startswith(image)


def test_metrics_stay_on_this_machine_and_looking_needs_no_password() -> None:
    services = compose_services()
    assert services["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    assert "ports" not in services["prometheus"]
    settings = services["grafana"]["environment"]
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"  # no admin/admin
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def dashboard() -> dict[str, Any]:
    loaded = json.loads((DEPLOY / "grafana" / "dashboards" / "behaviour-stream.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def exposed() -> dict[str, set[str]]:
    """Labels of everything that a run exposes to Prometheus, by name."""
    zones = CameraZones("gate", {"entrance": ZoneTotals()}, {("door", "in"): 1})
    text, _ = PrometheusMetrics(make_snapshot, lambda: [zones]).render()
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels.setdefault(sample.name, {"job", "instance"}).update(sample.labels)
    return labels


def test_every_query_of_the_dashboard_and_every_alert_is_about_something_exposed() -> None:
    queries = [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())
    ]
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    queries += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    queries += [variable["definition"] for variable in dashboard()["templating"]["list"]]
    named = [
        name for query in queries for name in re.findall(r"\b(?:behaviour|process)_\w+", query)
    ]
    assert len(named) >= len(queries) - 1  # `up` is Prometheus' own
    assert set(named) <= set(exposed())


def test_every_label_that_a_query_uses_is_one_of_its_metric() -> None:
    labels = exposed()
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            [name] = re.findall(r"\b(?:behaviour|process)_\w+", target["expr"])
            used = set(re.findall(r"(\w+)=~?\"", target["expr"]))
            used |= set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            for group in re.findall(r" by \(([^)]*)\)", target["expr"]):
                used |= set(group.replace(" ", "").split(","))
            assert used <= labels[name], target["expr"]


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert {
        panel["datasource"]["uid"] for panel in dashboard()["panels"] if "datasource" in panel
    } == {source["uid"]}
    [provider] = yaml.safe_load((provisioning / "dashboards" / "dashboards.yaml").read_text())[
        "providers"
    ]
    mounts = [volume.split(":") for volume in compose_services()["grafana"]["volumes"]]
    [folder] = [mount[0] for mount in mounts if mount[1] == provider["options"]["path"]]
    assert (DEPLOY / folder / "behaviour-stream.json").is_file()


def test_prometheus_asks_the_pipeline_by_a_name_that_it_answers_to() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    [job] = settings["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    assert target == "pipeline:8787"
    assert "live.health_hosts=[pipeline]" in compose_services()["pipeline"]["command"]


def test_composes_redis_evicts_nothing_and_keeps_everything() -> None:
    options = shlex.split(compose_services()["redis"]["command"])
    assert options[options.index("--maxmemory-policy") + 1] == "noeviction"
    assert options[options.index("--appendonly") + 1] == "yes"


def test_systemd_is_notified_of_starts_and_can_reload() -> None:
    service = dict(service_lines(SERVICE.read_text()))
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["NotifyAccess"] == "main"
    assert service["Restart"] == "always"
    assert int(service["WatchdogSec"]) >= 10
    assert int(service["TimeoutStopSec"]) > 5  # what a stop may take


def test_systemd_leaves_the_service_its_devices() -> None:
    keys = {key for key, _ in service_lines(SERVICE.read_text())}
    assert not keys & {"PrivateDevices", "ProtectClock", "DevicePolicy", "MemoryDenyWriteExecute"}


def analyze_version() -> int:
    if shutil.which("systemd-analyze") is None:
        return 0
    command = ["systemd-analyze", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    found = re.match(r"systemd (\d+)", printed)
    return int(found[1]) if found else 0


@pytest.mark.skipif(analyze_version() < 250, reason="no systemd-analyze that works offline")
def test_systemd_counts_little_that_an_attacker_could_do_with_the_service() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(SERVICE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    found = re.search(r"Overall exposure level .*: (\d+\.\d)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) < 2.5, done.stdout


def test_system_calls_are_those_of_a_service_and_another_is_an_error_not_the_end() -> None:
    lines = service_lines(SERVICE.read_text())
    allowed, denied = [value for key, value in lines if key == "SystemCallFilter"]
    assert allowed == "@system-service"
    assert "@resources" not in denied  # decoders are limited by setrlimit
    assert dict(lines)["SystemCallErrorNumber"] == "EPERM"


def test_the_example_of_several_cameras_is_a_valid_configuration() -> None:
    config = load_config(LIVE)
    assert set(config.cameras) == {"gate", "yard", "corridor"}


def test_the_services_passwords_are_those_of_the_example() -> None:
    lines = service_lines(SERVICE.read_text())
    loaded = {value.split(":")[0] for key, value in lines if key == "LoadCredential"}
    cameras = yaml.safe_load(LIVE.read_text())["cameras"].values()
    used = {Path(camera["password_file"]) for camera in cameras if "password_file" in camera}
    assert used == {Path("/run/credentials/behaviour-stream.service") / name for name in loaded}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_no_fault_in_the_service(tmp_path: Path) -> None:
    unit = tmp_path / SERVICE.name  # with a program and a folder that are there
    text = SERVICE.read_text().replace(
        "/opt/behaviour-stream/.venv/bin/behaviour-stream", "/bin/true"
    )
    unit.write_text(
        text.replace("WorkingDirectory=/opt/behaviour-stream", f"WorkingDirectory={tmp_path}")
    )
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert SERVICE.name not in verified.stderr  # it also speaks of other units of the machine
