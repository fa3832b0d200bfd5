"""The manifests, read by a validator that knows Kubernetes' own objects, and held against each other."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from relay import __version__
from tests.deploy.programs import DEPLOY, program, run
from tests.deploy.variables import OWN, SECRETS

FOLDER = DEPLOY / "k8s"
FILES = sorted(FOLDER.rglob("*.yaml"))
UNCHECKED = {"TriggerAuthentication", "ScaledObject"}  # KEDA's own: the validator has no schema of them
Thing = dict[str, Any]


def things(kind: str) -> list[Thing]:
    return [thing for path in FILES for thing in yaml.safe_load_all(path.read_text()) if thing["kind"] == kind]


def workloads() -> list[Thing]:
    return things("Deployment") + things("StatefulSet")


def containers(workload: Thing) -> Iterator[Thing]:
    pod = workload["spec"]["template"]["spec"]
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_validator_finds_no_fault(path: Any) -> None:
    kinds = {thing["kind"] for thing in yaml.safe_load_all(path.read_text())}
    if kinds <= UNCHECKED:
        assert path.parent.name == "keda"
        return
    found = run([program("kubernetes-validate"), "--strict", "-k", "1.31", path])
    assert found.returncode == 0, found.stdout + found.stderr
    assert not kinds & UNCHECKED


def test_everything_is_in_one_namespace() -> None:
    (namespace,) = things("Namespace")
    others = [one for path in FILES for one in yaml.safe_load_all(path.read_text()) if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {namespace["metadata"]["name"]}


def test_selectors_find_the_pods_they_mean() -> None:
    labels = {frozenset(one["spec"]["template"]["metadata"]["labels"].items()) for one in workloads()}
    selectors = [one["spec"]["selector"] for one in things("Service")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in workloads() + things("PodDisruptionBudget")]
    selectors += [p for one in things("NetworkPolicy") if (p := one["spec"]["podSelector"].get("matchLabels"))]
    assert len(selectors) >= 9
    for selector in selectors:
        assert sum(selector.items() <= set(one) for one in labels) == 1, selector


def test_pods_run_as_the_user_of_the_image_and_may_do_nothing_else() -> None:
    for workload in workloads():
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in containers(workload):
            context = container["securityContext"]
            assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
            assert "memory" in container["resources"]["limits"]
            if container["image"].startswith("amo-relay"):
                assert container["image"] == f"amo-relay:{__version__}"
                assert f"USER {pod['securityContext']['runAsUser']}:" in (DEPLOY / "Dockerfile").read_text()


def test_probes_ask_what_web_answers() -> None:
    (web,) = [one for one in things("Deployment") if one["metadata"]["name"] == "relay-web"]
    (container,) = web["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_a_stop_leaves_time_to_end_in_order() -> None:
    for workload in things("Deployment"):
        assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 30


def test_the_secret_has_every_variable_and_only_known_ones() -> None:
    (secret,) = things("Secret")
    given = secret["stringData"]
    assert SECRETS | {"REDIS_URL", "RELAY_ADMIN_TOKEN"} <= given.keys() <= SECRETS | OWN
    used = {one["secretRef"]["name"] for w in things("Deployment") for c in containers(w) for one in c["envFrom"]}
    assert used == {secret["metadata"]["name"]}


def test_keda_asks_autoscale_of_web_under_the_admin_token() -> None:
    (scaled,), (access,), (secret,) = things("ScaledObject"), things("TriggerAuthentication"), things("Secret")
    (service,) = [one for one in things("Service") if one["metadata"]["name"] == "relay-web"]
    (reference,) = access["spec"]["secretTargetRef"]
    assert reference == {"parameter": "token", "name": secret["metadata"]["name"], "key": "RELAY_ADMIN_TOKEN"}
    assert scaled["spec"]["scaleTargetRef"]["name"] in {one["metadata"]["name"] for one in things("Deployment")}
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    for trigger in scaled["spec"]["triggers"]:
        assert trigger["authenticationRef"] == {"name": access["metadata"]["name"]}
        assert (trigger["type"], trigger["metadata"]["authMode"]) == ("metrics-api", "bearer")
        assert trigger["metadata"]["url"] == f"http://{host}/autoscale"
    assert [one["metadata"]["valueLocation"] for one in scaled["spec"]["triggers"]] == ["oldest_due_seconds", "depth"]
