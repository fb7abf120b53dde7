"""The containers' files, read as they are: what they publish and what they give away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from search_core.indexes.milvus_version import ServerInfo

yaml = pytest.importorskip("yaml")
COMPOSE = Path(__file__).parents[3] / "compose"


def test_ports_are_published_on_loopback_only() -> None:
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_secrets_come_from_the_environment_without_defaults() -> None:
    for name, service in yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"].items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or "SECRET" in variable or "TOKEN" in variable:
                assert ":?" in value, f"{name}: {variable}"
    example = (COMPOSE / ".env.example").read_text()
    assert "PASSWORD=\n" in example


def test_the_cameras_zone_is_that_of_the_containers() -> None:
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    for name in ("app", "worker"):
        environment = services[name]["environment"]
        assert (
            environment["SIGHTLINE_TIMEZONE"] == environment["TZ"] == "${SIGHTLINE_TIMEZONE:-UTC}"
        )
    assert "SIGHTLINE_TIMEZONE=UTC\n" in (COMPOSE / ".env.example").read_text()


def test_the_image_runs_as_somebody_and_holds_every_package() -> None:
    dockerfile = (COMPOSE / "Dockerfile").read_text()
    assert "USER sightline" in dockerfile
    assert "'.[reading]'" in dockerfile
    for package in ("search_core", "ingest", "dashboard", "sightline"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}\n" in (COMPOSE / "Dockerfile.dockerignore").read_text()


def test_the_cluster_asks_for_a_login() -> None:
    values = yaml.safe_load((COMPOSE / "cluster" / "values.yaml").read_text())
    user = yaml.safe_load(values["extraConfigFiles"]["user.yaml"])
    assert user["common"]["security"]["authorizationEnabled"] is True


def test_milvus_is_pinned_past_its_known_faults_with_the_message_queue_of_its_version() -> None:
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    text = (COMPOSE / "cluster" / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    tag = compose["services"]["milvus"]["image"].partition(":")[2]
    assert values["image"]["all"]["tag"] == tag
    assert ServerInfo.reported(tag, embedded=False).at_least("2.6.17")
    assert values["woodpecker"]["enabled"], "else the chart writes no mq.type"
    [password] = values["mixCoordinator"]["extraEnv"]
    assert password["valueFrom"]["secretKeyRef"], "else root has Milvus's own password"
    assert re.search(r"zilliztech/milvus --version \d+\.\d+\.\d+ ", text), "the chart is pinned"
