"""The files for Docker Compose and Kubernetes have the form that these ask for; whether they work there nobody tried."""

from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

from mlpipe_assets.arguments import make_parser
from mlpipe_assets.settings import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_compose_file_is_one_and_publishes_ports_of_loopback_only() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    options = compose_spec.PyOptions()
    options.apply_merge = True
    options.from_yaml(text).validate()
    services = read(DEPLOY / "compose.yaml")["services"]

    with pytest.raises(ValueError, match="portz"):
        options.from_yaml(text.replace("ports:", "portz:"))
    assert sorted(services) == ["daemon", "pull", "serve", "webserver"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert [port.split(":")[0] for port in ports] == ["127.0.0.1", "127.0.0.1"]


def test_its_commands_of_mlpipe_are_commands() -> None:
    commands = [service["command"] for service in read(DEPLOY / "compose.yaml")["services"].values()]

    parsed = [make_parser().parse_args(command[1:]) for command in commands if command[0] == "mlpipe"]

    assert [(one.every if hasattr(one, "every") else one.host) for one in parsed] == ["0.0.0.0", 60.0]  # noqa: S104 (of a container)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    """What the chart makes of a deployment of code, as far as it depends on our values."""
    container = {
        "name": deployment["name"],
        "image": f"{deployment['image']['repository']}:{deployment['image']['tag']}",
        "imagePullPolicy": deployment["image"]["pullPolicy"],
        "args": deployment["dagsterApiGrpcArgs"],
        "env": deployment["env"],
        "envFrom": [{"secretRef": secret} for secret in deployment["envSecrets"]],
        "ports": [{"containerPort": deployment["port"]}],
        "resources": deployment["resources"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": deployment["name"]},
        "spec": {"containers": [container]},
    }


def test_what_the_values_of_helm_give_to_a_pod_is_what_kubernetes_takes() -> None:
    values = read(DEPLOY / "helm" / "values.yaml")
    [deployment] = values["dagster-user-deployments"]["deployments"]
    made = pod(deployment)

    kubernetes_validate.validate(made, kubernetes_validate.latest_version(), strict=True)

    made["spec"]["containers"][0]["resources"]["limit"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(made, kubernetes_validate.latest_version(), strict=True)
    launched = values["runLauncher"]["config"]["k8sRunLauncher"]
    assert launched["envSecrets"] == deployment["envSecrets"]
    assert values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]["maxConcurrentRuns"] == 1
