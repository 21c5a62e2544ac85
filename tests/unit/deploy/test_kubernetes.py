"""The Kustomize base: rendered with all that is optional, it follows the schemas of Kubernetes, confines every pod, and
what it runs and sets is known."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from schemas import settings_file
from schemas.version import VERSION
from tests.support.command_line import parsed
from tests.support.deployed import KUBERNETES, kubernetes_commands, rendered

#: The oldest release that Kubernetes still mended when this was written, and the newest that the schemas know.
RELEASES = ("1.34", "1.37")
SECRETS = "/run/secrets/repmon/"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return rendered(tmp_path_factory.mktemp("kustomize"))


@pytest.fixture(scope="module")
def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod of each Deployment and Job, by its name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"] for each in objects if "template" in each.get("spec", {})
    }


def containers(pods: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for pod in pods.values():
        (only,) = pod["spec"]["containers"]
        yield only


@pytest.mark.parametrize("release", RELEASES)
def test_every_object_follows_the_schema(objects: list[dict[str, Any]], release: str) -> None:
    assert objects
    for each in objects:
        kubernetes_validate.validate(each, release, strict=True)


def test_check_would_notice_a_misspelt_key(objects: list[dict[str, Any]]) -> None:
    wrong = next(each for each in objects if each["kind"] == "Deployment") | {"speck": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="speck"):
        kubernetes_validate.validate(wrong, RELEASES[0], strict=True)


def test_every_command_is_one_the_command_line_knows() -> None:
    for words in kubernetes_commands():
        parsed(words)


def test_every_pod_is_confined(pods: dict[str, dict[str, Any]]) -> None:
    for pod, container in zip(pods.values(), containers(pods), strict=True):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_every_stage_is_asked_where_it_answers(pods: dict[str, dict[str, Any]]) -> None:
    for name, container in zip(pods, containers(pods), strict=True):
        if name == "repmon-setup":
            continue
        assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
        assert {"name": "metrics", "containerPort": 9102} in container["ports"]
        assert pods[name]["metadata"]["annotations"]["prometheus.io/port"] == "9102"


def test_settings_and_variables_are_known_and_secrets_are_files(pods: dict[str, dict[str, Any]], tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("0123456789abcdef")
    for container in containers(pods):
        given = {each["name"]: each["value"] for each in container["env"]}
        for key, text in given.items():
            if key.endswith("_FILE"):
                assert text.startswith(SECRETS)
                given[key] = str(tmp_path / "secret")
        settings = settings_file.load_settings(KUBERNETES / "repmon.toml", environ=given)
        assert settings.metrics.port == settings.api.metrics_port == 9102


def test_labels_and_image_have_the_version(objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]) -> None:
    assert {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in objects} == {VERSION}
    assert {each["image"] for each in containers(pods)} == {f"repmon:{VERSION}"}


def test_services_and_budgets_select_pods_that_there_are(
    objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]
) -> None:
    labels = [pod["metadata"]["labels"].items() for pod in pods.values()]
    for each in objects:
        selector = each.get("spec", {}).get("selector", {})
        wanted = selector.get("matchLabels", selector).items() if each["kind"] != "Job" else {}.items()
        assert any(wanted <= have for have in labels), each["metadata"]["name"]
